"""Decisions as pure functions over values: no clock, no I/O, no logging, no randomness.

Theory of operation: `model` says what can be wanted and what can be seen; `facts` what can
happen; `actions` what can be done. `evolve` folds one fact into the state of one process.
`plan` looks at desired and observed and answers what to do now and when to look again.
`report` turns the same two into the words that are published. Time is an argument, in seconds
of a clock that never runs back.
"""
