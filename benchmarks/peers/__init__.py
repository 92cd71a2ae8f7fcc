"""The same projects for other tools, and what the same tasks cost there."""
