"""What people see: rows and descriptions, waiting and its conditions, sets, plans, the graph."""
