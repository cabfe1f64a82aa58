"""pmond keeps declared processes running.

Theory of operation: one loop owns everything. It waits for a *fact* (a process ended, a
request came, a file changed) or for a deadline. `core.evolve` folds the fact into what is
*observed*; `core.plan` compares that with what is *desired* and answers with *actions* and
the next deadline; `runtime.perform` carries the actions out, which yields new facts. The
planner never sees events, only states: dropping or repeating a fact, then looking again,
ends in the same place. `core.report` derives what is published, last.
"""
