"""The terminal UI: `pmon3 ui`, an extra.

Theory of operation: a client of the socket as any other, with the rights of whoever runs it. One event
loop: pmond's stream of events says when to look again, so nothing is asked for while nothing happens.
`application` owns what is shown, `upstream` what is asked, `rows` and `needs` are pure.
"""
