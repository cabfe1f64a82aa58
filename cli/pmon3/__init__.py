"""`pmon3`, the command line: asks a running pmond over its socket and prints the answer.

Theory of operation: `main` looks at the verb and imports that verb's module alone; `quick`
answers the plain `ls` without Typer. A verb builds a request, `client` carries it over the Unix
socket, `waiting` waits for what the answer promises, `render` turns answers into text and
`output` prints them. Anything that goes wrong is a `PmonError`; `main` prints it once and
`exit_codes` says which number it ends with. Nothing here decides anything about processes.
"""
