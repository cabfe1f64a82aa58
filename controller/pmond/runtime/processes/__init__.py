"""Processes of the system: starting them, knowing them again, noticing their end, ending whole trees."""
