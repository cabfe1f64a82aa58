"""Words that users of other tools bring along, and what says the same here."""

from __future__ import annotations

SAID_HERE = {
    # supervisorctl
    "avail": "ls", "fg": "logf", "reread": "diff", "shutdown": "down",
    "tail": "log", "update": "init",
    # systemctl
    "daemon-reload": "reconcile", "disable": "hold", "enable": "unhold", "is-active": "wait --for ready",
    "is-failed": "status", "journalctl": "log", "list-units": "ls", "mask": "hold", "reload": "reconcile",
    "unmask": "unhold",
    # pm2
    "flush": "reset", "jlist": "ls -o json", "l": "ls", "monit": "top", "resurrect": "reconcile",
    "save": "export", "scale": "set", "startup": "service", "unstartup": "service",
    # docker, docker compose
    "config": "validate", "inspect": "desc", "logs": "log", "pause": "suspend", "port": "desc", "ps": "ls",
    "remove": "del", "rm": "del", "stats": "top", "unpause": "resume",
    # kubectl
    "create": "apply", "describe": "desc", "edit": "set", "get": "ls", "label": "set", "rollout": "rollback",
    # terraform
    "destroy": "down", "fmt": "validate", "refresh": "reconcile", "taint": "restart", "untaint": "unhold",
}  # fmt: skip
"""The word, and the pmon3 command to use instead."""
