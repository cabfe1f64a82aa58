"""The verbs of the command line: their other names, their modules and what they are called with.

Theory of operation: plain tables without Typer, for what has to start fast: `application` finds
the module of a verb here, and `completing` what a word without any flag can be. A test compares
them with what Typer makes of the modules.
"""

from __future__ import annotations

ALIASES: dict[str, tuple[str, ...]] = {
    "up": (),
    "down": (),
    "exec": ("run",),
    "ls": ("list",),
    "desc": ("show",),
    "start": (),
    "stop": (),
    "restart": (),
    "del": ("delete",),
    "kill": (),
    "drop": (),
    "init": (),
    "reset": (),
    "top": (),
    "topn": (),
    "log": (),
    "logf": (),
    "events": (),
    "wait": (),
    "apply": (),
    "diff": (),
    "plan": (),
    "status": (),
    "reconcile": (),
    "history": (),
    "rollback": (),
    "hold": (),
    "unhold": (),
    "suspend": (),
    "resume": (),
    "release": (),
    "approve": (),
    "validate": (),
    "explain": (),
    "schema": (),
    "set": (),
    "export": (),
    "convert": (),
    "dgraph": ("order",),
    "group": ("groups",),
    "service": (),
    "completion": (),
    "upgrade": (),
    "doctor": (),
    "version": (),
}
"""Every verb in the order of the overview, with its other names."""

MODULES = {"del": "delete"}
"""Verbs whose name cannot be imported."""

VERB_OF = {alias: verb for verb, others in ALIASES.items() for alias in (verb, *others)}

PROCESS, GROUP, PROCESSES, GROUPS = "process", "group", "processes", "groups"
"""Kinds of words that pmond knows: one name, or several with commas between them."""

POSITIONALS: dict[str, tuple[str, ...]] = {
    "desc": (PROCESS,),
    "ls": (PROCESS,),
    "start": (PROCESS,),
    "stop": (PROCESS,),
    "restart": (PROCESS,),
    "del": (PROCESS,),
    "reset": (PROCESS,),
    "hold": (PROCESS,),
    "unhold": (PROCESS,),
    "release": (PROCESS,),
    "approve": (PROCESS,),
    "top": (PROCESS,),
    "log": (PROCESS,),
    "logf": (PROCESS,),
    "events": (PROCESS,),
    "wait": (PROCESS,),
    "group del": (GROUP,),
    "group desc": (GROUP,),
    "group stop": (GROUP,),
    "group restart": (GROUP,),
    "group drop": (GROUP,),
    "group assign": (GROUPS, PROCESSES),
    "group remove": (GROUPS, PROCESSES),
}
"""What the words after a verb are, where that is something pmond knows; PROCESS may be repeated."""

SUBCOMMAND_OF = {"list": "ls", "delete": "del", "show": "desc", "start": "restart"}
"""Other names of subcommands of `group`."""
