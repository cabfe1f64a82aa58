"""`log` and `logf` as questions: since when, with what in it, of which run, of which of several."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.pmond import PATIENCE, Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow
ECHO = "import sys\nfor line in open(sys.argv[1]): (sys.stderr if line[0] == '!' else sys.stdout).write(line)"
"""Writes what comes through a pipe that the test opens, at once."""


class Talker:
    """A process that writes what it is told."""

    def __init__(self, pmond: Pmond, name: str, **more: Any) -> None:
        self.name, self._pmond = name, pmond
        self._pipe = pmond.folder / f"{name}.pipe"
        os.mkfifo(self._pipe)
        self.declared = {
            "name": name, "file": sys.executable, "args": ["-u", "-c", ECHO, str(self._pipe)],
            "restart": {"policy": "never"}, **more,
        }  # fmt: skip

    def write(self, *lines: str) -> None:
        """These lines stand in its log when this returns."""
        if not hasattr(self, "_file"):
            self._file = self._pipe.open("w", buffering=1)
        for line in lines:
            self._file.write(f"{line}\n")
        last = lines[-1]
        which = ["--stderr"] if last[0] == "!" and "stderr_log" in self.declared else []
        until(lambda: last in self._pmond.run("log", self.name, *which).stdout, "it to be written", PATIENCE)


@pytest.fixture
def talkers(pmond: Pmond) -> tuple[Talker, Talker]:
    web, db = Talker(pmond, "web", stderr_log="web.err"), Talker(pmond, "db")
    pmond.declare(web.declared, db.declared)
    for talker in (web, db):
        pmond.until(talker.name, "running")
    return web, db


def as_json(pmond: Pmond, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in pmond.ok("log", *words, "--json").splitlines()]


def test_a_line_has_the_time_at_which_it_was_written(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, _ = talkers
    before = datetime.now(UTC)
    web.write("one")
    between = datetime.now(UTC)
    pmond.ok("log", "web", "--timestamps")  # somebody looks; else it may be late by two seconds
    web.write("two")
    first, second = as_json(pmond, "web")
    assert [first.pop("text"), second.pop("text")] == ["one", "two"]
    times = [datetime.fromisoformat(line.pop("time")).timestamp() for line in (first, second)]
    assert before.timestamp() - 0.1 <= times[0] <= between.timestamp() <= times[1] + 0.1
    assert first == second == {"name": "web", "stream": "stdout"}
    shown = pmond.ok("log", "web", "-t").splitlines()
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d) (one|two)")
    assert len(shown) == 2 and all(map(form.fullmatch, shown))


def pass_by(moment: datetime) -> None:
    """Until files that are written get a later time: the kernel's clock for them has coarse ticks."""
    later = moment + timedelta(milliseconds=50)
    until(lambda: datetime.now(UTC) > later, "a later tick")


def test_since_and_until_choose_by_time(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, _ = talkers
    web.write("old")
    pmond.ok("log", "web", "-t")
    (old,) = as_json(pmond, "web")
    pass_by(datetime.fromisoformat(old["time"]))
    moment = datetime.now(UTC)
    pass_by(moment)
    now = moment.isoformat()
    web.write("new")
    assert pmond.ok("log", "web", "--since", now) == "new\n"
    assert pmond.ok("log", "web", "--until", now) == "old\n"
    assert pmond.ok("log", "web", "--since", "1h") == "old\nnew\n"
    assert pmond.ok("log", "web", "--until", "1h") == ""
    assert pmond.ok("log", "web", "--since", "1h", "-n", "1") == "new\n"


def test_lines_are_found_by_what_is_in_them(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, _ = talkers
    web.write("\x1b[31mERR\x1b[0mOR 1", "fine", *["error 2"] * 12)
    assert pmond.ok("log", "web", "--grep", "error").count("error 2") == 12  # all that is found
    assert pmond.ok("log", "web", "--grep", "ERROR", "-n", "5") == "\x1b[31mERR\x1b[0mOR 1\n"
    assert pmond.ok("log", "web", "--grep", "error", "-i", "-v") == "fine\n"
    assert pmond.ok("log", "web", "--grep", "fine", "--grep", " 1$").count("\n") == 2
    wrong = pmond.run("log", "web", "--grep", "(")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "cannot search" in wrong.stderr


def test_several_are_merged_by_time_behind_their_names(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, db = talkers
    for talker, text in ((web, "1"), (db, "2"), (web, "3"), (db, "4")):
        talker.write(text)
        pmond.ok("log", "*", "-t")
    assert pmond.ok("log", "web", "db") == "web | 1\ndb  | 2\nweb | 3\ndb  | 4\n"
    assert pmond.ok("log", "*", "-n", "1") == "web | 3\ndb  | 4\n"
    assert [line["name"] for line in as_json(pmond, "*")] == ["web", "db", "web", "db"]


def test_standard_error_is_shown_alone_or_with_the_rest(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, _ = talkers
    for line in ("out", "!err", "out again"):
        web.write(line)
        pmond.ok("log", "web", "--both", "-t")
    assert pmond.ok("log", "web", "--stderr") == "!err\n"
    assert pmond.ok("log", "web", "--both") == "out\n!err\nout again\n"
    assert [line["stream"] for line in as_json(pmond, "web", "--both")] == ["stdout", "stderr", "stdout"]
    none = pmond.run("log", "db", "--stderr")
    assert none.returncode == 1 and "it goes to the log" in none.stderr
    assert pmond.ok("log", "*", "--stderr", "-t").endswith(" !err\n")


def test_a_run_shows_what_it_wrote(pmond: Pmond) -> None:
    pmond.declare({"name": "job", "file": "/bin/sh", "args": ["-c", "echo run $$; printf end"],
                   "restart": {"policy": "never"}})  # fmt: skip
    pmond.until("job", "completed")
    for _ in range(2):
        pmond.ok("start", "job", "--no-wait")
        wanted = pmond.ok("desc", "job", "-o", "json")
        number = json.loads(wanted)["instances"][0]["number"] if json.loads(wanted)["instances"] else 0
        until(lambda: pmond.row("job")["status"] == "completed", f"run {number} to end", PATIENCE)
    runs = [pmond.ok("log", "job", "--run", str(number)) for number in (1, 2, 3)]
    assert len(set(runs)) == 3 and all(re.fullmatch(r"run \d+\nend\n", run) for run in runs)
    assert pmond.ok("log", "job", "--run", "last") == runs[2]
    gone = pmond.run("log", "job", "--run", "9")
    assert (gone.returncode, gone.stdout) == (1, "") and "runs 1 to 3 are known" in gone.stderr
    assert pmond.run("log", "job", "--run", "x").returncode == 2


def test_what_is_followed_is_chosen_too(pmond: Pmond, talkers: tuple[Talker, Talker]) -> None:
    web, db = talkers
    web.write("error 1", "fine")
    said = pmond.folder / "said"
    with said.open("w") as file:
        words = (sys.executable, "-P", "-m", "pmon3", "logf", "web", "db", "--grep", "error", "--json")
        follower = subprocess.Popen(words, stdout=file, env=pmond.environment)
    try:
        until(lambda: said.read_text().count("\n") == 1, "what there was", PATIENCE)
        db.write("error 2", "fine")  # although the other is silent
        until(lambda: said.read_text().count("\n") == 2, "what came", PATIENCE)
        web.write("fine", "error 3")
        until(lambda: said.read_text().count("\n") == 3, "what came next", PATIENCE)
    finally:
        follower.send_signal(signal.SIGINT)
        follower.wait(PATIENCE)
    found = [json.loads(line) for line in said.read_text().splitlines()]
    assert [(line["name"], line["text"]) for line in found] == [
        ("web", "error 1"), ("db", "error 2"), ("web", "error 3")
    ]  # fmt: skip


def test_times_outlive_pmond_and_its_rotation(pmond: Pmond) -> None:
    web = Talker(pmond, "web", log_rotate={"size": "20KiB", "compress": False})
    pmond.declare(web.declared)
    pmond.until("web", "running")
    web.write("first")
    (first,) = as_json(pmond, "web")
    web.write(*[f"{number} {'x' * 60}" for number in range(800)])
    until(lambda: len(list((pmond.folder).rglob("web.log.2*"))) > 0, "its log to be rotated", 30)
    web.write("last")
    assert pmond.ok("log", "web", "--since", "1h", "--until", first["time"]) == "first\n"
    pmond.signal(signal.SIGTERM)
    pmond.ended()
    pmond.start()
    again = as_json(pmond, "web", "--since", "1h")
    assert (again[0], again[-1]["text"], len(again)) == (first, "last", 802)
