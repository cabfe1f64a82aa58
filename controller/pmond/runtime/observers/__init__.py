"""Told after each turn or exit: recording, event handlers, rotation, watched files, tuning."""
