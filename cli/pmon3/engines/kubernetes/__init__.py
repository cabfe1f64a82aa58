"""Processes as objects of Kubernetes. `objects` makes them, without any client library."""
