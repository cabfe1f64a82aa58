"""What the daemon and the command line agree on; it imports neither of them.

Theory of operation: a *manifest* (text in YAML, TOML or JSON) is read into plain data
(`formats`), checked and turned into frozen `ProcessSpec` values (`manifest`, `process`), or
into `Diagnostic` values that say where it is wrong (`diagnostics`). What the daemon publishes
about a process is spelt in `status`; what crosses the socket in `protocol`. Importing this
package loads nothing: each module is imported where it is needed, so that the command line
stays quick.
"""
