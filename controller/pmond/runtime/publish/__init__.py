"""What is told: status objects, events, and the scripts that are run on them."""
