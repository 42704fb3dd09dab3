"""Workspaces: members, invitations, joining at sign-in, and the people their runs name."""
