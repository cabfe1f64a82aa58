"""Running probes: one try at a time of what the core asks for, and what came of it as a fact.

`prober` keeps the tries that are under way; each kind of probe has a module of its own. Requests and
connections run in the event loop itself, commands are children, lines of a log and notifications are
listened for as long as an instance wants that. No try outlives its instance or its time limit.
"""
