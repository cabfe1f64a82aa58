"""One module per verb, imported only when that verb is called.

Each has a function `command`, whose annotations are its flags and whose docstring is its help,
or a Typer application `group` of such functions.
"""
