"""The verbs of the command line: their sections, other names, modules and what they are called with.

Theory of operation: plain tables without Typer, for what has to start fast: the overview is printed
from here, `application` finds the module of a verb, and `completing` what a word without any flag can
be. A summary is the first line of the verb's own docstring; tests compare the tables with what Typer
makes of the modules.
"""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Everyday": {
        "up": "Start pmond if need be, apply manifests, wait until ready.",
        "down": "Stop all processes, then pmond.",
        "exec": "Start a new process.",
        "ls": "List processes.",
        "desc": "Show all that is known about a process.",
        "log": "Show the last lines that processes have written.",
        "logf": "Follow what processes write, until Ctrl-C.",
        "start": "Start processes; those that run are started anew.",
        "stop": "Stop processes; they stay stopped until they are started.",
        "restart": "Restart processes, or start those that do not run.",
        "del": "Delete processes: stop them, then forget them.",
        "kill": "Stop all running processes, and those about to start.",
        "drop": "Stop and delete all processes.",
        "signal": "Send a signal to processes that run.",
        "reload": "Have processes read their files again, as their manifests say.",
        "reset": "Reset the restart counters of all, or of those named.",
        "group": "Groups of processes.",
    },
    "Declare": {
        "validate": "Check manifests; no pmond is needed.",
        "explain": "Say what a field of a manifest means.",
        "schema": "Print the JSON Schema of manifests.",
        "set": "Change fields in the manifest that declares a process.",
        "export": "Print processes as a manifest that can be applied again.",
        "convert": "Print what another tool has as a manifest.",
        "init": "Read the process config file again, start what should run.",
    },
    "Deploy": {
        "diff": "Show how a manifest differs from what is there.",
        "plan": "Show what applying a manifest would do, in order.",
        "apply": "Make what is there be what manifests say.",
        "status": "Show for each set whether it is in sync and well.",
        "history": "Show what was applied to a set, and how it ended.",
        "rollback": "Go back to an earlier revision of a set.",
        "scale": "Have more or fewer of a process.",
        "reconcile": "Read the process config file again and do what is due.",
        "hold": "Keep processes down, whatever their manifests say.",
        "unhold": "Lift what stop, start or hold laid over processes.",
        "suspend": "Take no new content for a set until resume.",
        "resume": "Take new content for a set again.",
        "release": "Take processes out of their set; they keep running.",
        "approve": "Delete processes that wait to be confirmed.",
    },
    "Look": {
        "top": "Show processes live, with what their whole trees use.",
        "ui": "Show processes on the whole screen, and act on them.",
        "topn": "Show pmond and its processes with the system's top.",
        "events": "Show what has happened to processes, oldest first.",
        "runs": "Show the runs of a process, oldest first.",
        "wait": "Wait until processes are in a state.",
        "pid": "Print the process ids of processes that run.",
        "cat": "Print what declares a process, and where each value is written.",
        "shell": "Run a shell, or a command, in the surroundings of a process.",
        "dgraph": "Show the order in which processes start.",
        "web": "Show pmond in a browser.",
        "metrics": "Print figures for Prometheus and its like.",
        "doctor": "Show which mechanisms pmond found and uses here.",
        "version": "Show the versions of pmon3 and of pmond.",
    },
    "Set up": {
        "service": "pmond as a service of systemd.",
        "dial-stdio": "Join standard input and output to pmond's socket, for pmon3 --host.",
        "upgrade": "Replace the running pmond by the installed one.",
        "completion": "Print a completion script for a shell.",
    },
}
"""Every verb in the order of the overview, and what it does in one line."""

_OTHER_NAMES = {
    "exec": ("run",), "ls": ("list",), "desc": ("show",), "del": ("delete",), "dgraph": ("order",),
    "group": ("groups",),
}  # fmt: skip

ALIASES: dict[str, tuple[str, ...]] = {
    verb: _OTHER_NAMES.get(verb, ()) for section in SECTIONS.values() for verb in section
}
"""Every verb with its other names."""

MODULES = {"del": "delete", "dial-stdio": "dial_stdio"}
"""Verbs whose name cannot be imported."""

VERB_OF = {alias: verb for verb, others in ALIASES.items() for alias in (verb, *others)}

PROCESS, GROUP, PROCESSES, GROUPS, SCALED = "process", "group", "processes", "groups", "scaled"
"""Kinds of words that pmond knows: one name, several with commas between them, or NAME=NUMBER."""

POSITIONALS: dict[str, tuple[str, ...]] = {
    "desc": (PROCESS,),
    "ls": (PROCESS,),
    "pid": (PROCESS,),
    "start": (PROCESS,),
    "stop": (PROCESS,),
    "restart": (PROCESS,),
    "del": (PROCESS,),
    "cat": (PROCESS,),
    "reload": (PROCESS,),
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
    "scale": (SCALED,),
    "group del": (GROUP,),
    "group desc": (GROUP,),
    "group stop": (GROUP,),
    "group restart": (GROUP,),
    "group drop": (GROUP,),
    "group assign": (GROUPS, PROCESSES),
    "group remove": (GROUPS, PROCESSES),
}
"""What the words after a verb are, where pmond knows; PROCESS and SCALED may be repeated."""

SUBCOMMAND_OF = {"list": "ls", "delete": "del", "show": "desc", "start": "restart"}
"""Other names of subcommands of `group`."""
