"""Other machines that run what a manifest declares."""
