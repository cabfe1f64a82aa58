"""Verbs on other machines: the pmond there is asked through OpenSSH, and nothing listens on the network.

Theory of operation: `--host` and `--on`, which every verb takes, say which hosts are meant (`choosing`, with
the addresses of `hosts_file`). For one host the way to the socket is a connection of ssh instead (`ssh`), at
whose other end `pmon3 dial-stdio` speaks to the socket there, with the rights of whoever has logged in; all
else of the verb is as ever. For several hosts the verb runs once for each, some at a time, and what they
print is brought together (`several`).
"""
