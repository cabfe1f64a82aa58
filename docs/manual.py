"""The manual pages pmon3(1) and pmond(8), from the same source as `--help` and the reference.

Theory of operation: roff with the macros of man(7). A text is escaped once, where it enters; each
line that a text begins is kept from being taken for a request.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from docs import words

from pmon3 import command_tree, exit_codes
from pmon3.command_tree import Command, Option
from pmon3.verbs import SECTIONS
from pmon3_schema._version import __version__
from pmond import main as daemon

FOLDER = Path(__file__).resolve().parent / "man"

_FILES = """
.TP
.I /etc/pmon3/config/config.yml
The configuration of the system's pmond.
.TP
.I ~/.config/pmon3/config.yml
The configuration of your own pmond.
"""
_ENVIRONMENT = """
.TP
.B PMON3_CONF
The config.yml of the pmond that is meant.
.TP
.B PMON3_PROCESS_CONF
The process config file, where config.yml names none.
.TP
.B PMON3_DEBUG
The log level of pmond: true, debug, info, warn or error; in pmon3, where a mistake of its own happened.
"""


def pages() -> Mapping[Path, str]:
    """Every manual page: where it is and what is in it."""
    return {FOLDER / "pmon3.1": "\n".join(_pmon3()) + "\n", FOLDER / "pmond.8": "\n".join(_pmond()) + "\n"}


def _pmon3() -> Iterator[str]:
    yield from _head("PMON3", 1, "pmon3", "keep declared processes running")
    yield ".B pmon3\n.I COMMAND\n[\\fIARGUMENT\\fR]..."
    yield ".SH DESCRIPTION\nAsks the running\n.BR pmond (8)\nover its socket and prints the answer."
    yield "Commands wait for the state that they ask for."
    for title, verbs in SECTIONS.items():
        yield f".SH COMMANDS: {title.upper()}"
        for verb in verbs:
            yield from _verb(command_tree.command(verb))
    yield ".SH EXAMPLES"
    for line, meaning in (
        ("pmon3 exec ./app --name web", "Start a program and keep it running."),
        ("pmon3 ls", "See how all are."),
        ("pmon3 logf web", "Follow what it writes."),
        ("pmon3 up -f app.yaml", "Start all that a manifest declares, and wait until it is ready."),
        ("pmon3 diff -f app.yaml", "See what an edit of it would change."),
        ("pmon3 apply -f app.yaml", "Carry it out."),
    ):
        yield f".TP\n.B {_text(line)}\n{meaning}"
    yield ".SH EXIT STATUS"
    for name, meaning in words.documented(exit_codes).items():
        if meaning:
            yield f".TP\n.B {getattr(exit_codes, name)}\n{_text(meaning)}"
    yield f".SH ENVIRONMENT{_ENVIRONMENT.rstrip()}\n.SH FILES{_FILES.rstrip()}\n.SH SEE ALSO\n.BR pmond (8)"


def _verb(command: Command) -> Iterator[str]:
    if not command.commands:
        yield from _command(command.name, command.aliases, command)
    for one in command.commands:
        also = [f"{alias} {one.name}" for alias in command.aliases]
        also += [f"{command.name} {alias}" for alias in one.aliases]
        yield from _command(f"{command.name} {one.name}", also, one)


def _pmond() -> Iterator[str]:
    parser = daemon._parser()
    yield from _head("PMOND", 8, "pmond", "the daemon that keeps declared processes running")
    yield ".B pmond\n[\\fIOPTION\\fR]..."
    yield ".SH DESCRIPTION\nRuns in the foreground and logs to standard error;\n.BR pmon3 (1)\nspeaks to it."
    yield ".SH OPTIONS"
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield f".TP\n.B {_text(', '.join(action.option_strings))}\n{_text(action.help or '')}"
    yield ".SH SIGNALS"
    for name, meaning in (
        ("SIGTERM, SIGINT, SIGQUIT", "End; with the processes or without them, as handle_interrupts says."),
        ("SIGHUP", "Read the configuration and the process config file again."),
        ("SIGUSR2", "Execute pmond anew, in place, with its children, socket and state: after an upgrade."),
        (
            "SIGUSR1, SIGWINCH, SIGRTMIN to SIGRTMAX",
            "Hand it on to the processes that pmond ends with (exit_on_end, --exit-on); otherwise ignored.",
        ),
    ):
        yield f".TP\n.B {name}\n{meaning}"
    yield ".SH EXIT STATUS"
    for code, meaning in (
        ("0", "Ended as asked."),
        ("1", "Cannot start."),
        ("2", "Wrong usage or configuration."),
        ("5", "Another pmond uses the folder of the state."),
    ):
        yield f".TP\n.B {code}\n{meaning}"
    yield f".SH ENVIRONMENT{_ENVIRONMENT.rstrip()}\n.SH FILES{_FILES.rstrip()}\n.SH SEE ALSO\n.BR pmon3 (1)"


def _head(title: str, section: int, name: str, summary: str) -> Iterator[str]:
    yield f'.TH {title} {section} "" "pmon3 {__version__}"\n.SH NAME\n{name} \\- {summary}\n.SH SYNOPSIS'


def _command(name: str, also: Sequence[str], command: Command) -> Iterator[str]:
    arguments = "".join(f" \\fI{_text(one.value.shown)}\\fR" for one in command.arguments)
    yield f".SS {_text(name)}{arguments}"
    if also:
        yield _text(f"Also: {', '.join(also)}.") + "\n.PP"
    for paragraph in command.help.split("\n\n"):
        yield f"{_text(' '.join(paragraph.split()))}\n.PP"
    if command.examples:
        yield ".PP\nExamples:"
    for example in command.examples:
        yield f".TP\n.B {_text(example.line)}\n{_text(example.meaning)}"
    for argument in command.arguments:
        yield f".TP\n.I {_text(argument.value.shown)}\n{_text(argument.help)}"
    for option in command.options:
        yield f".TP\n{_flag(option)}\n{_text(option.help)}{_default(option)}"


def _flag(option: Option) -> str:
    value = f" \\fI{_text(option.value.shown)}\\fR" if option.value else ""
    return f"\\fB{_text(', '.join(option.spellings))}\\fR{value}"


def _default(option: Option) -> str:
    return f" Default: {_text(option.default)}." if option.default and option.value else ""


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
