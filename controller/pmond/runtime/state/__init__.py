"""The state file: what must outlive pmond, and how it is kept."""
