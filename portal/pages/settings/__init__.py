"""Settings: of a workspace (keys, members, audit log) and of who is signed in (sessions, workspaces)."""
