"""Words that users of other tools bring along, and what says the same here; or that nothing does, and why.

Theory of operation: an answer must be true, for it is typed next: a command that does something else than
the word did is worse than none. The tables of the how-to are made from here.
"""

from __future__ import annotations

from typing import NamedTuple


class SaidHere(NamedTuple):
    """What to type instead of a word of another tool; without `command`: `remark` says why there is none."""

    command: str
    remark: str = ""

    def hint(self) -> str:
        """The words for who has typed it."""
        if not self.command:
            return self.remark
        return f"did you mean {self.command}? {self.remark or 'pmon3 help lists all'}"


_LOG_SIZE = "nothing empties a log: log_rotate in the manifest keeps it in size"
_NOTHING_TO_SAVE = "nothing has to be saved: what was submitted is kept, and pmon3 export prints it"
_OWN_LOG = "pmond's own log is pmond.log in its state folder, or the journal of systemd"
_NO_FORMATTER = "nothing formats a manifest; pmon3 convert FILE writes it anew, without comments"
_STARTS_TOO = "pmon3 restart NAME starts what is stopped too: pmon3 pid NAME says whether it runs"
_FREEZE = "pmon3 signal NAME STOP freezes a program, and CONT lets it go on"

BY_TOOL: dict[str, dict[str, SaidHere]] = {
    "supervisorctl": {
        "add": SaidHere("apply -f FILE"),
        "avail": SaidHere("ls"),
        "clear": SaidHere("", _LOG_SIZE),
        "fg": SaidHere("logf"),
        "maintail": SaidHere("", _OWN_LOG),
        "reread": SaidHere("diff"),
        "shutdown": SaidHere("down"),
        "tail": SaidHere("log", "with -f: pmon3 logf"),
        "update": SaidHere("apply -f FILE", "what pmond follows is read by itself"),
    },
    "systemctl, journalctl": {
        "daemon-reload": SaidHere("reconcile"),
        "disable": SaidHere("set NAME autostart=false --write", "pmon3 hold stops it too"),
        "enable": SaidHere("set NAME autostart=true --write"),
        "is-active": SaidHere("pid NAME", "its exit code is 1 for what does not run"),
        "is-failed": SaidHere("ls --failed NAME", "it lists what has failed; its exit code does not say it"),
        "journalctl": SaidHere("log", "with -f: pmon3 logf"),
        "list-dependencies": SaidHere("dgraph"),
        "list-units": SaidHere("ls"),
        "mask": SaidHere("hold"),
        "reset-failed": SaidHere("start NAME", "pmon3 reset sets the counter of restarts to 0"),
        "set-property": SaidHere("set NAME FIELD=VALUE --write"),
        "try-restart": SaidHere("", _STARTS_TOO),
        "unmask": SaidHere("unhold"),
    },
    "pm2": {
        "deploy": SaidHere("apply -f FILE"),
        "dump": SaidHere("", _NOTHING_TO_SAVE),
        "env": SaidHere("desc"),
        "flush": SaidHere("", _LOG_SIZE),
        "info": SaidHere("desc"),
        "jlist": SaidHere("ls -o json"),
        "l": SaidHere("ls"),
        "monit": SaidHere("top"),
        "ping": SaidHere("version"),
        "prettylist": SaidHere("ls -o json"),
        "report": SaidHere("doctor"),
        "resurrect": SaidHere("up", "what was there comes back by itself"),
        "save": SaidHere("", _NOTHING_TO_SAVE),
        "sendSignal": SaidHere("signal NAME SIGNAL"),
        "startup": SaidHere("service install"),
        "unstartup": SaidHere("service uninstall"),
    },
    "docker, docker compose": {
        "attach": SaidHere("logf"),
        "config": SaidHere("validate"),
        "inspect": SaidHere("desc -o json"),
        "logs": SaidHere("log"),
        "pause": SaidHere("", _FREEZE),
        "port": SaidHere("", "pmon3 knows no ports: ss -ltnp shows them beside process ids"),
        "ps": SaidHere("ls"),
        "remove": SaidHere("del", "what runs is stopped first"),
        "rename": SaidHere("", "rename it in its manifest, and say renamed_from there: it keeps running"),
        "rm": SaidHere("del", "what runs is stopped first"),
        "stats": SaidHere("top"),
        "unpause": SaidHere("", _FREEZE),
    },
    "kubectl": {
        "create": SaidHere("apply -f FILE", "pmon3 exec submits a single program"),
        "describe": SaidHere("desc"),
        "edit": SaidHere("set NAME FIELD=VALUE --write"),
        "get": SaidHere("ls"),
        "label": SaidHere("set NAME 'labels={KEY: VALUE}' --write"),
        "rollout": SaidHere("status", "there are pmon3 history and pmon3 rollback too"),
    },
    "terraform": {
        "destroy": SaidHere("del NAME", "apply --prune --allow-empty deletes what a set no longer declares"),
        "fmt": SaidHere("", _NO_FORMATTER),
        "import": SaidHere("apply --take-ownership -f FILE"),
        "refresh": SaidHere("reconcile"),
        "state": SaidHere("status"),
        "taint": SaidHere("restart"),
        "untaint": SaidHere("", "nothing is marked here: pmon3 diff shows what waits for a restart"),
    },
}  # fmt: skip
"""By tool, the word and what there is instead."""

SAID_HERE: dict[str, SaidHere] = {word: said for words in BY_TOOL.values() for word, said in words.items()}
"""The word, and what to type instead."""
