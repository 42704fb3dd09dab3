"""The node handlers of the portal: one module a node type."""
