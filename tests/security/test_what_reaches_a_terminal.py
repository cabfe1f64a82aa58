"""L3 and black-box finding 6: nothing that others have chosen steers a terminal or a CI service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomlkit
import yaml
from tests.support.command_line import Ran, Run
from tests.support.fake_daemon import PLAN, CannedAnswer, Chunks, FakeDaemon, detailed, graph_need, process
from tests.support.pmond import Pmond
from tests.support.terminal import Terminal

from pmon3_schema.characters import STEERS
from pmon3_schema.manifest import ManifestFile, read

HOSTILE = (
    "n\x1b[31m\x9b2J\u202e\u2066\u200f\u2028\x85\x07\r::error::x\n::error file=x::y\n##[error]z\U000e0041"
)
"""A colour, C1, bidi, separators, commands of two CI services at the beginning of a line, a tag."""
SHAPES = ("table", "json", "yaml", "name")


def hostile(value: Any) -> Any:
    """The same answer with hostile text in every place that somebody could have chosen."""
    if isinstance(value, dict):
        kept = {"status", "updated_at", "started_at", "time", "action", "format", "type", "outcome", "code"}
        return {key: one if key in kept else hostile(one) for key, one in value.items()}
    if isinstance(value, list):
        return [hostile(one) for one in value]
    return HOSTILE if isinstance(value, str) and value else value


@pytest.fixture
def told(daemon: FakeDaemon) -> Iterator[FakeDaemon]:
    answers: dict[tuple[str, str], Any] = {
        ("GET", "/v1/processes"): [process(1, "web")],
        ("GET", "/v1/processes/web"): detailed(1, "web"),
        ("GET", "/v1/events"): detailed(1, "web")["events"],
        ("GET", "/v1/groups"): [{"id": 1, "name": "g", "processes": ["web"]}],
        ("GET", "/v1/groups/g"): {"id": 1, "name": "g", "processes": [process(1, "web")]},
        ("GET", "/v1/export"): {"processes": [{"file": "/f", "name": "w", "groups": ["g"]}]},
        ("GET", "/v1/doctor"): {"checks": [{"name": "n", "status": "ok", "in_use": "x", "message": "m"}]},
        ("POST", "/v1/plan"): PLAN | {"set": "s"},
        ("POST", "/v1/apply"): {"plan": PLAN | {"set": "s"}, "targets": [], "revision": 0},
        ("POST", "/v1/init"): {
            "plan": PLAN, "targets": [], "revision": 0,
            "lifted": [{"name": "n", "hold": {"by": "b", "at": "t", "reason": "r"}}],
        },
        ("GET", "/v1/graph"): {
            "order": ["a"], "dependents": ["a"], "edges": [["a", "a"]], "cycles": [["a"]],
            "dependencies": [graph_need("a", "a", "started")],
        },
        ("GET", "/v1/history"): [
            {
                "revision": 1, "set": "s", "time": "2025-03-04T05:06:07Z", "by": "b", "outcome": "done",
                "summary": {"create": 1}, "commit": "c", "message": "m",
            }
        ],
        ("GET", "/v1/sets"): [
            {
                "name": "s", "sync": "Synced", "health": "Healthy", "processes": 1, "version": 1,
                "checked_at": "2025-03-04T05:06:07Z", "accepted": False, "reason": "r", "message": "m",
                "diagnostics": [{"file": "f", "message": "m", "hint": "h", "code": "PM001"}],
                "conditions": [{"type": "Synced", "status": "False", "message": "m"}],
                "chosen": {"profiles": ["p"]}, "inventory": [{"name": "n", "declared": False, "prune": True}],
            }
        ],
        ("POST", "/v1/release"): {"names": ["web"]},
        ("POST", "/v1/approve"): {"targets": [{"name": "web", "generation": 1, "token": 1}]},
        ("POST", "/v1/wait"): {
            "outcome": "failed", "processes": [process(1, "web")],
            "failures": [{"name": "web", "reason": "r", "log_tail": "tail"}],
        },
    }  # fmt: skip
    daemon.answers |= {key: CannedAnswer(hostile(value)) for key, value in answers.items()}
    # As it is called in the list, by which commands find it.
    child = {"pid": 2, "parent": 1, "depth": 1, "name": "n", "memory_bytes": 1}
    shown = hostile(detailed(1, "web") | {"tree": [child]})
    daemon.answers[("GET", f"/v1/processes/{HOSTILE}")] = CannedAnswer(shown)
    daemon.answers[("GET", "/v1/processes/other")] = CannedAnswer(
        {"error": {"code": "not_found", "message": HOSTILE, "hint": HOSTILE}}, 404
    )
    yield daemon


def assert_harmless(ran: Ran, *words: str) -> None:
    for stream in (ran.out, ran.err):
        assert STEERS.search(stream) is None, (words, STEERS.search(stream), stream)
        for line in stream.splitlines():
            assert not line.lstrip().startswith(("::error", "##[")), (words, line)


READING = [
    ("ls",), ("ls", "web"), ("desc", "web"), ("events",), ("history",), ("status",), ("doctor",),
    ("group", "ls"), ("group", "desc", "g"), ("version",), ("stop", "web"), ("restart", "web"), ("dgraph",),
    ("exec", "/bin/true"), ("del", "web"), ("reset", "web"), ("init",), ("wait", "web"), ("up",), ("drop",),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_reading_verb_in_every_form(
    told: FakeDaemon, run: Run, words: tuple[str, ...], shape: str
) -> None:
    ran = run(*words, "-o", shape)
    assert ran.out, ran.err
    assert_harmless(ran, *words, "-o", shape)


@pytest.mark.parametrize(
    "words",
    [
        ("plan",), ("diff",), ("diff", "-o", "yaml"), ("plan", "-o", "json"), ("apply", "-f", "{}"),
        ("apply", "-f", "{}", "-o", "json"), ("dgraph", "-o", "mermaid"), ("dgraph", "-o", "dot"),
        ("export", "json"), ("export", "yaml"), ("export", "toml"), ("release", "web"), ("approve", "web"),
        ("desc", "other"), ("desc", "other", "-o", "json"), ("events", "other"), ("__complete", "stop", ""),
        ("up", "-f", "{}"), ("no-such\x1b[31m\u202e",), ("ls", "--no-such\u202e"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_everything_else_that_prints_names(
    told: FakeDaemon, run: Run, words: tuple[str, ...], tmp_path: Path
) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text("processes: []\n")
    given = [word.replace("{}", str(manifest)) for word in words]
    ran = run(*given)
    assert ran.out or ran.err
    assert_harmless(ran, *words)


def test_data_means_the_same_as_before(told: FakeDaemon, run: Run) -> None:
    assert json.loads(run("ls", "-o", "json").out)[0]["name"] == HOSTILE
    assert json.loads(run("desc", "web", "-o", "json").out)["name"] == HOSTILE
    assert yaml.safe_load(run("ls", "-o", "yaml").out)[0]["name"] == HOSTILE
    for form, parse in (("json", json.loads), ("toml", tomlkit.loads)):
        exported: Any = parse(run("export", form).out)
        (entry,) = exported.get("processes") or exported["Processes"]
        assert (entry.get("name") or entry["Name"]) == HOSTILE
    exported = yaml.safe_load(run("export", "yaml").out)
    assert exported["processes"][0]["name"] == HOSTILE


def test_half_a_surrogate_pair_is_printed_as_an_escape(daemon: FakeDaemon, run: Run) -> None:
    """Black-box finding 6: such a name may stand in an older state file."""
    daemon.answers[("GET", "/v1/processes")] = CannedAnswer([process(1, "a\ud800b")])
    for shape in SHAPES:
        ran = run("ls", "-o", shape)
        assert ran.code == 0 and "ud800" in ran.out.lower(), ran


FORMATS = ("text", "concise", "json", "jsonl", "github", "gitlab", "sarif", "junit")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", ["name", "field", "value", "file"])
def test_every_report_about_a_hostile_manifest(run: Run, tmp_path: Path, form: str, kind: str) -> None:
    entry: dict[str, Any] = {"file": "/bin/true", "name": "web"}
    if kind == "name":
        entry["name"] = HOSTILE
    elif kind == "field":
        entry[HOSTILE] = 1
    elif kind == "value":
        entry |= {"user": HOSTILE, "on_change": HOSTILE, "dependencies": ["x\u202e::error::"]}
    name = "m\x1b[31m\u202e\n::error::.json" if kind == "file" else "m.json"
    manifest = tmp_path / name
    manifest.write_text(json.dumps({"processes": [entry | ({"no": 1} if kind == "file" else {})]}))
    ran = run("validate", "--format", form, str(manifest))
    assert ran.code == 1
    if form == "github":  # one finding, one command, and nothing else begins a line
        assert [line[:13] for line in ran.out.splitlines()] == ["::error file="] * found_in(run, manifest)
        ran = ran._replace(out=ran.out.replace("\n::error file=", "\n").removeprefix("::error file="))
    assert_harmless(ran, "validate", "--format", form)


def found_in(run: Run, manifest: Path) -> int:
    found: list[Any] = json.loads(run("validate", "--format", "json", str(manifest)).out)
    return len(found)


NAMES = {
    "n\x85x": "U+0085", "y\x9bz": "U+009B", "x\u2028y": "U+2028 LINE SEPARATOR",
    "n\u202egnp.exe": "U+202E RIGHT-TO-LEFT OVERRIDE", "zero\u200bwidth": "U+200B ZERO WIDTH SPACE",
    "a\xa0b": "U+00A0 NO-BREAK SPACE", "soft\xadhyphen": "U+00AD SOFT HYPHEN",
    "\u3164": "U+3164 HANGUL FILLER",
    "heart\ufe0f": "U+FE0F VARIATION SELECTOR-16", "a\ud800": "U+D800, half of a surrogate pair",
    "tag\U000e0041": "U+E0041 TAG LATIN CAPITAL LETTER A", "esc\x1b[31m": "U+001B, a control character",
    "line\nfeed": "U+000A", "a\u3000b": "U+3000 IDEOGRAPHIC SPACE", "\ufeffweb": "U+FEFF",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("field", ["name", "groups", "dependencies"])
def test_a_name_with_what_nobody_sees_is_refused_and_the_character_is_named(name: str, field: str) -> None:
    entry = {"file": "/bin/true", "name": "web"} | {field: name if field == "name" else [name]}
    found = read([ManifestFile("/m.json", json.dumps({"processes": [entry]}).encode())])
    (first,) = [one for one in found.diagnostics if "is not a name" in one.message]
    assert NAMES[name] in first.message
    assert STEERS.search(first.message) is None


@pytest.mark.parametrize(
    "name", ["web", "сервис", "naïve", "日本", "a b", "x😀", "web@x", "a@b.c", "web~ana"]
)
def test_names_in_any_script_are_names(name: str) -> None:
    text = json.dumps({"processes": [{"file": "/bin/true", "name": name}]})
    assert read([ManifestFile("/m.json", text.encode())]).ok


@pytest.mark.parametrize("name", ["web@0", "web@12", "@1", "a@b@3"])
def test_a_number_behind_an_at_sign_is_kept_for_replicas(name: str) -> None:
    text = json.dumps({"processes": [{"file": "/bin/true", "name": name, "dependencies": []}]})
    (found,) = read([ManifestFile("/m.json", text.encode())]).diagnostics
    assert "NAME@NUMBER is reserved for the replicas of a process" in found.message
    # Whoever needs one of them may say so.
    entries = [{"file": "/bin/true", "name": "web"}, {"file": "/bin/true", "name": "b", "groups": ["web@1"]}]
    assert read([ManifestFile("/m.json", json.dumps({"processes": entries}).encode())]).ok


@pytest.mark.slow
def test_logs_on_a_terminal_can_paint_and_do_nothing_else(daemon: FakeDaemon, folders: Path) -> None:
    written = [b"\x1b[31mred\x1b[0m \x1b]0;owned\x07 \xc2\x9b", b"2J evil\rgood\n\x1b[32mopen"]
    daemon.answers[("GET", "/v1/logs/web")] = CannedAnswer(Chunks(written))
    for verb in ("log", "logf"):
        raw = in_terminal(verb, "web", "--raw")
        assert "\x1b]0;owned\x07" in raw and "evil\rgood" in raw
        seen = in_terminal(verb, "web")
        assert "\x1b[31mred\x1b[0m \\x1b]0;owned\\x07 \\x9b2J evil\\rgood\r\n\x1b[32mopen\x1b[0m" in seen
    both = in_terminal("logf", "web", "db")
    assert "web | " in both and "\\x1b]0;owned" in both and "\x1b]0" not in both


@pytest.mark.slow
def test_logs_elsewhere_are_what_was_written(daemon: FakeDaemon, run: Run) -> None:
    daemon.answers[("GET", "/v1/logs/web")] = CannedAnswer(Chunks([b"\x1b]0;t\x07 \xff", b"\r\n"]))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pmon3", "log", "web"], env=os.environ, capture_output=True, timeout=30
    )
    assert done.stdout == b"\x1b]0;t\x07 \xff\r\n"


def in_terminal(*words: str) -> str:
    command = [sys.executable, "-P", "-m", "pmon3", *words]
    with Terminal(command, os.environ) as terminal:
        assert terminal.ended() == 0
        return terminal.written


@pytest.mark.slow
def test_a_real_pmond_refuses_such_names_by_every_door(pmond: Pmond) -> None:
    for name in ("a\u202eb", "a\u200b", "x\x9b", "web@1"):
        done = pmond.run("exec", "/bin/sleep", "--name", name, "--", "100")
        assert done.returncode == 1 and "is not a name" in done.stderr, name
        body = {"spec": {"file": "/bin/sleep", "name": name}, "cwd": "/"}
        assert pmond.ask("POST", "/v1/processes", body).status == 422
    assert pmond.ask("POST", "/v1/groups", {"name": "g\u202e"}).status == 422
    assert pmond.rows() == {}
