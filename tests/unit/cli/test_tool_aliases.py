"""Words of other tools, as verbs, options and names: answered with what is true here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import FakeDaemon

from pmon3 import command_tree, hints, typer_verbs
from pmon3.tool_aliases import BY_TOOL, SAID_HERE
from pmon3.verbs import VERB_OF

NOT_THERE = [(verb, option) for verb, options in hints.OPTIONS.items() for option in options]
PROMISED = [said.command for said in SAID_HERE.values() if said.command]
SPOKEN = [
    *(said.remark for said in SAID_HERE.values()),
    *(text for options in hints.OPTIONS.values() for text in options.values()),
]


@pytest.mark.parametrize("word", SAID_HERE)
def test_a_word_that_is_answered_is_no_command_here(word: str) -> None:
    assert word not in VERB_OF
    assert SAID_HERE[word].command or SAID_HERE[word].remark


@pytest.mark.parametrize("line", PROMISED)
def test_what_is_proposed_is_understood_by_its_verb(line: str) -> None:
    verb, *words = shlex.split(line)
    made = typer_verbs.command(VERB_OF[verb])
    if hasattr(made, "commands"):
        made, words = made.commands[words[0]], words[1:]
    # Names are what the person knows; the parser only has to take them where they stand.
    made.make_context(verb, [*words, *(["NAME"] if needs_more(verb, words) else [])])


def needs_more(verb: str, words: list[str]) -> bool:
    arguments = command_tree.command(VERB_OF[verb]).arguments if verb != "service" else ()
    return any(one.required for one in arguments) and not words


@pytest.mark.parametrize("text", SPOKEN)
def test_every_command_in_a_remark_is_one(text: str) -> None:
    for verb in re.findall(r"pmon3 (?!knows)([a-z]+)", text):
        assert verb in VERB_OF, text


@pytest.mark.parametrize(("verb", "option"), NOT_THERE)
def test_a_hint_is_only_for_an_option_that_is_not_there(verb: str, option: str) -> None:
    there = {spelling for one in command_tree.command(verb).options for spelling in one.spellings}
    assert option not in there


def test_no_word_is_answered_with_something_that_destroys_or_starts_what_it_did_not() -> None:
    """`destroy` ended pmond and all its sets, `update` started what a person had stopped."""
    assert not {"down", "kill", "drop", "init"} & {
        said.command.split()[0] for word, said in SAID_HERE.items() if said.command and word != "shutdown"
    }
    assert not SAID_HERE["try-restart"].command  # restart starts what is stopped


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("logs", "web"), "(did you mean log? pmon3 help lists all)"),
        (("destroy",), "(did you mean del NAME? apply --prune --allow-empty deletes what a set no longer"),
        (("update",), "(did you mean apply -f FILE? what pmond follows is read by itself)"),
        (("flush",), "(nothing empties a log: log_rotate in the manifest keeps it in size)"),
        (("signal", "HUP", "web"), "(the signal comes last: pmon3 signal web HUP)"),
        (("stopp",), "(did you mean stop? pmon3 help lists all)"),
        (("xyzzy",), "(pmon3 help lists all)"),
        (("logf", "-f", "web"), "(it follows anyway)"),
        (("log", "--tail", "5", "web"), "(-n K says how many lines)"),
        (("ls", "-q"), "(-o name prints names alone"),
        (("start", "app.js", "-i", "4"), "(pmon3 scale NAME=4 has so many of it)"),
        (("exec", "node", "--inspect", "app.js"), "pmon3 exec node -- --inspect app.js)"),
        (("exec", "sh -c true"), "(arguments come after --: pmon3 exec sh -- -c true)"),
        (("kill", "web"), "(kill stops all; pmon3 stop -f NAME stops one with SIGKILL)"),
        (("down", "web"), "(down ends all; pmon3 stop NAME stops one)"),
        (("up", "app.yaml"), "(name manifests with -f)"),
        (("log",), "'*': all"),
        (("wait", "web", "--for", "running"), "'running' cannot be waited for (say ready)"),
        (("wait", "web", "--for", "nonsense"), "one of ready"),
        (("restart", "web", "--no-such"), "(see pmon3 restart --help)"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else "",
)
def test_what_is_said(run: Run, words: tuple[str, ...], hint: str) -> None:
    ran = run(*words)
    assert ran.code in (1, 2) and ran.out == ""
    assert hint in ran.err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("stop", "all"), "('*' means all)"),
        (("restart", "site:*"), "(-g site means all of a group)"),
        (("desc", "nobody"), "(see pmon3 ls)"),  # what pmond says stands
    ],
)
def test_names_of_other_tools(daemon: FakeDaemon, run: Run, words: tuple[str, ...], hint: str) -> None:
    for path in [path for path in daemon.answers if path[1].startswith("/v1/actions/")]:
        del daemon.answers[path]
    ran = run(*words)
    assert ran.code == 1 and hint in ran.err


def test_a_program_that_is_not_there_yet(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del daemon.answers["POST", "/v1/actions/start"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.js").touch()
    assert "(pmon3 exec app.js starts what is not there yet)" in run("start", "app.js").err


def test_a_manifest_is_no_name_of_a_process(
    daemon: FakeDaemon, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del daemon.answers["POST", "/v1/actions/delete"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.yaml").touch()
    assert "processes go by name; pmon3 apply -f FILE --prune" in run("delete", "-f", "app.yaml").err


def test_the_status_of_a_process_is_its_description(daemon: FakeDaemon, run: Run) -> None:
    ran = run("status", "web")
    assert ran.code == 1 and "(it is a process: pmon3 desc web says how it is)" in ran.err
    assert "(pmon3 status lists them)" in run("status", "nope").err


def test_spellings_of_the_version(run: Run) -> None:
    assert run("-V").out == run("-v").out == run("--version").out != ""


def test_every_word_is_in_the_documentation() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "come-from-another-tool.md"
    text = page.read_text("utf-8")
    for tool, words in BY_TOOL.items():
        assert f"## {tool}\n" in text
        assert all(f"| `{word}` |" in text for word in words)
