"""Templates: definitions to begin a workflow with, starters of ours and those of a workspace."""
