"""The page: what pmond does, in a browser.

Theory of operation: a program of its own that speaks to the socket of pmond as the user who started it;
pmond itself listens to nothing but that socket. Whoever looks at the page shows a token (`tokens`), by a
form, which gives a session (`sessions`), or as a Bearer. A token has a role (`access`), and each address of
the page says the least role that it takes (`answers`): nothing is passed on that is not named there. Whoever
is not an administrator gets answers in which pmond's own masks hide what may be secret.

The page asks pmond once for events and tells all who look (`hub`); a changed process is asked for once and
sent to everybody. Figures of the last hour are kept here (`usage`). What is shown is made in the browser, by
plain modules in `static` that set text and never markup, so what a program writes stays what it is: text.
"""
