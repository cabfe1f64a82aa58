"""What to say to who has typed an option, an argument or a name as another tool has it.

Theory of operation: pure functions from the words of a command line, asked only after it has failed. A hint
for an option is given only where the verb has none of that name; a test holds that, so a hint goes as
soon as the option comes.
"""

from __future__ import annotations

import re
from pathlib import Path

from pmon3.verbs import VERB_OF
from pmon3_schema.errors import ErrorCode, PmonError

_SCALE = "pmon3 scale NAME=4 has so many of it"
_JSON = "-o json prints JSON"

OPTIONS: dict[str, dict[str, str]] = {
    "log": {"--tail": "-n K says how many lines", "-o": "--json prints JSON, one object a line"},
    "logf": {
        "-f": "it follows anyway", "--follow": "it follows anyway", "--tail": "-n K says how many lines",
        "-o": "--json prints JSON, one object a line",
    },
    "ls": {
        "-q": "-o name prints names alone, and pmon3 pid process ids", "-a": "it lists all anyway",
        "--quiet": "-o name prints names alone, and pmon3 pid process ids", "--all": "it lists all anyway",
        "--json": _JSON, "--filter": "names, globs, -g and -l choose",
    },
    "desc": {"--json": _JSON},
    "status": {"--json": _JSON},
    "events": {
        "-f": "-w goes on with new ones", "-g": "name the processes", "-l": "name the processes",
        "--group": "name the processes", "--label": "name the processes",
        "--since": "-n K shows the last K", "--json": _JSON,
    },
    "start": {"-i": _SCALE, "--instances": _SCALE, "--watch": "declare watch in a manifest"},
    "exec": {"-i": _SCALE, "--instances": _SCALE, "--watch": "declare watch in a manifest"},
    "restart": {
        "--update-env": "variables are given with -e (all) or --env (one)",
        "-t": "declare stop.timeout in a manifest",
    },
    "stop": {
        "-t": "declare stop.timeout in a manifest; -f stops with SIGKILL at once",
        "--time": "declare stop.timeout in a manifest; -f stops with SIGKILL at once",
        "-s": "declare stop.signal in a manifest", "--signal": "declare stop.signal in a manifest",
    },
    "kill": {
        "-s": "pmon3 signal NAME HUP sends a signal",
        "--signal": "pmon3 signal NAME HUP sends a signal",
    },
    "up": {
        "--build": "there is nothing to build", "--force-recreate": "pmon3 restart NAME starts it anew",
        "--scale": _SCALE, "--no-deps": "what a process depends on is always started with it",
        "--remove-orphans": "--prune deletes what the manifest no longer declares",
    },
    "down": {
        "-v": "it leaves the logs, and has no volumes", "--volumes": "it leaves the logs, and has no volumes",
        "--remove-orphans": "it stops all there is",
    },
    "apply": {
        "-k": "--profile NAME chooses what is different in production, say",
        "--kustomize": "--profile NAME chooses what is different in production, say",
        "-y": "nothing asks: leave it out", "--yes": "nothing asks: leave it out",
        "--auto-approve": "nothing asks: leave it out", "-R": "-f FOLDER takes the files of a folder",
        "--recursive": "-f FOLDER takes the files of a folder",
    },
}  # fmt: skip
"""Options of other tools by verb, and what says the same here."""

_ONE_OF_ALL = {
    "kill": "kill stops all; pmon3 stop -f NAME stops one with SIGKILL",
    "drop": "drop deletes all; pmon3 del NAME deletes one",
    "down": "down ends all; pmon3 stop NAME stops one",
    "up": "name manifests with -f",
    "diff": "name manifests with -f",
    "plan": "name manifests with -f",
    "init": "init reads the process config file; name others with pmon3 apply -f",
    "dgraph": "it shows all; pmon3 desc NAME has what one depends on",
}
"""Verbs that take no names, and what does."""


def of_option(words: list[str], option: str) -> str:
    """What to say about an option that the verb does not have; empty where nothing is known."""
    verb = VERB_OF.get(words[0], words[0])
    known = OPTIONS.get(verb, {}).get(option, "")
    if verb != "exec" or known:
        return known
    file = next((word for word in words[1:] if not word.startswith("-")), "FILE")
    rest = " ".join(word for word in words[words.index(file) + 1 :]) if file in words else "..."
    return f"what belongs to the program comes after --: pmon3 exec {file} -- {rest}"


def of_usage(words: list[str], why: str) -> str:
    """What to say about other wrong usage; empty where nothing is known."""
    return _ONE_OF_ALL.get(VERB_OF.get(words[0], ""), "") if "extra argument" in why else ""


def improved(error: PmonError, words: list[str]) -> PmonError:
    """The error of pmond, with a better hint where a name is a word of another tool."""
    if error.code is not ErrorCode.NOT_FOUND:
        return error
    hint = next(filter(None, map(_of_name, words[1:])), "")
    if hint:
        error.hint = hint
    return error


def _of_name(word: str) -> str:
    if word == "all":
        return "'*' means all"
    group = re.fullmatch(r"([^*?\[\]/]+):\*", word)
    if group:
        return f"-g {group[1]} means all of a group"
    if word.endswith((".yaml", ".yml", ".toml", ".json")) and Path(word).is_file():
        return "processes go by name; pmon3 apply -f FILE --prune deletes what FILE no longer declares"
    looks_like_a_program = "/" in word or word.endswith((".js", ".py", ".sh"))
    if looks_like_a_program and Path(word).is_file():
        return f"pmon3 exec {word} starts what is not there yet"
    return ""
