"""What can be asked for: a module per resource, each given only the parts it needs."""
