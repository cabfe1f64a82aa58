"""The tables of verbs, summaries and examples agree with the commands, and help has what people look for."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest
from tests.support.command_line import Run, runner

from pmon3 import command_tree, examples, typer_verbs
from pmon3.verbs import ALIASES, SECTIONS


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


COMMANDS = {command.name: command for command in command_tree.commands()}
SUMMARIES = {verb: summary for section in SECTIONS.values() for verb, summary in section.items()}
EVERY = [
    *(name for name, command in COMMANDS.items() if not command.commands),
    *(f"{name} {one.name}" for name, command in COMMANDS.items() for one in command.commands),
]
LINES = [(verb, one.line) for verb in ALIASES for one in examples.of(verb)]


@pytest.mark.parametrize("verb", SUMMARIES)
def test_a_summary_is_the_first_line_of_what_the_verb_says_of_itself(verb: str) -> None:
    assert COMMANDS[verb].summary == SUMMARIES[verb]


def test_every_verb_is_in_one_section() -> None:
    assert len(SUMMARIES) == sum(map(len, SECTIONS.values())) == len(ALIASES)


@pytest.mark.parametrize("name", EVERY)
def test_every_verb_and_subcommand_has_an_example(name: str) -> None:
    assert examples.of(name)


@pytest.mark.parametrize(("verb", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_understood_by_its_verb(verb: str, line: str) -> None:
    """Nothing is run: the parser alone reads it, up to a pipe, from the word behind `pmon3`."""
    for part in (part for part in split(line) if part[:1] == ["pmon3"]):
        assert part[1] == verb or line.startswith("pip ")
        made = typer_verbs.command(verb)
        words = part[2:]
        if hasattr(made, "commands"):
            made, words = made.commands[words[0]], words[1:]
        made.make_context(verb, words)  # raises for wrong usage


def split(line: str) -> list[list[str]]:
    """The simple commands of a line: what stands between pipes, redirections, substitutions and `&&`."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&();<>")
    lexer.whitespace_split = True
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set("|&();<>"):
            parts.append([])
        elif word not in ("sudo", "$"):
            parts[-1].append(word)
    return parts


@pytest.mark.parametrize("name", EVERY)
def test_help_says_what_it_does_with_examples_in_our_own_words(run: Run, name: str) -> None:
    ran = run(*name.split(), "--help")
    assert ran.code == 0 and ran.err == ""
    for wanted in (f"Usage: pmon3 {name}", "\nExamples:\n  ", "\nOptions:\n  ", "-h, --help"):
        assert wanted in ran.out
    for python in ("<str>", "<int", "<float", "<=x", "[default", "[required]", "{"):
        assert python not in ran.out
    assert all(len(line) <= 80 or line.startswith("  pmon3") for line in ran.out.splitlines())


def test_the_other_names_have_the_same_help(run: Run) -> None:
    assert run("run", "--help").out == run("exec", "-h").out == run("help", "exec").out
    assert run("groups", "--help").out == run("group").out


def test_the_overview_does_without_typer() -> None:
    code = (
        "import sys; from pmon3.main import main; main(['--help']);"
        "print([m for m in ('typer', 'click', 'pydantic', 'msgspec') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.splitlines()[-1] == "[]"
