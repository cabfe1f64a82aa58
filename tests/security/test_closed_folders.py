"""L1: pmond tells nobody what is in folders that are closed to him, by whatever field names a path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.people import ALICE, Machine, machine, needs_people
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, needs_people]

SLEEP: dict[str, Any] = {"file": "/bin/sleep", "args": ["1000"], "restart": {"policy": "never"}}


@pytest.fixture(scope="module")
def people() -> Iterator[Machine]:
    with machine() as made:
        made.pmond.start()
        closed = made.pmond.folder / "closed"
        closed.mkdir(mode=0o700)
        for name in ("is-there", "program"):
            (closed / name).write_text("#!/bin/sh\nexec sleep 1000\n")
            (closed / name).chmod(0o755)
        (closed / "folder-is-there").mkdir()
        yield made


def probing(**probe: Any) -> dict[str, Any]:
    return {"ready": {"interval": "50ms", "failures": 1, "deadline": "1h", **probe}}


DOORS: dict[str, Any] = {
    "file": lambda folder, name: {**SLEEP, "file": f"{folder}/{name}"},
    "a program on PATH": lambda folder, name: {**SLEEP, "file": name, "env_vars": {"PATH": str(folder)}},
    "file below cwd": lambda folder, name: {**SLEEP, "file": f"./{name}", "cwd": str(folder)},
    "cwd": lambda folder, name: {**SLEEP, "cwd": f"{folder}/folder-{name}"},
    "env_file": lambda folder, name: {**SLEEP, "env_file": f"{folder}/{name}"},
    "log": lambda folder, name: {**SLEEP, "log": f"{folder}/{name}"},
    "log_dir": lambda folder, name: {**SLEEP, "log_dir": f"{folder}/folder-{name}"},
    "stderr_log": lambda folder, name: {**SLEEP, "stderr_log": f"{folder}/{name}"},
    "log_rotate": lambda folder, name: {**SLEEP, "log": f"{folder}/{name}", "log_rotate": {"size": "1"}},
    "watch": lambda folder, name: {**SLEEP, "watch": {"paths": [f"{folder}/{name}"]}},
    "a probe's command": lambda folder, name: {**SLEEP, **probing(exec=[f"{folder}/{name}"])},
    "a probe's socket": lambda folder, name: {
        **SLEEP, **probing(http=f"http+unix://{str(folder).replace('/', '%2F')}%2F{name}/"),
    },
    "a hook": lambda folder, name: {**SLEEP, "hooks": {"pre_start": [[f"{folder}/{name}"]]}},
}  # fmt: skip


def told(people: Machine, name: str, spec: dict[str, Any]) -> str:
    """All that alice is told about a process, once pmond has tried to start it."""
    alice = people.by(ALICE)

    def seen() -> dict[str, Any]:
        return dict(alice.ask("GET", f"/v1/processes/{name}").body)

    answer = alice.submit(name, **spec)
    if answer.status != 200:
        return json.dumps(answer)
    if "ready" in spec:
        until(lambda: seen()["probe"]["ready"]["message"], "its probe to be tried")
    else:
        until(lambda: seen()["status"] in ("failed", "backoff", "running"), "it to be tried")
    row, log = seen(), alice.ask("GET", f"/v1/logs/{name}")
    kept = [row[key] for key in ("status", "reason", "exit_code", "exit_signal", "probe")]
    events = [(event["reason"], event["message"]) for event in row["events"]]
    return json.dumps([kept, events, log])


@pytest.mark.parametrize("door", DOORS)
def test_what_is_there_and_what_is_not_are_told_alike(people: Machine, door: str) -> None:
    closed, found = people.pmond.folder / "closed", []
    for name in ("is-there", "is-gone!"):
        process = f"{list(DOORS).index(door)}-{name}"
        text = told(people, process, DOORS[door](closed, name))
        text = text.replace(process, "PROCESS").replace(name, "NAME")
        found.append(re.sub(r'pid [0-9]+|"(at|in_a_row)": ("[^"]*"|[0-9]+)', "", text))
    assert found[0] == found[1]


def test_nor_does_the_name_of_a_set(people: Machine) -> None:
    closed = people.pmond.folder / "closed"
    answers = {name: people.by(ALICE).apply(str(closed / name)) for name in ("is-there", "is-gone!")}
    said = {json.dumps(answer).replace(name, "NAME") for name, answer in answers.items()}
    assert len(said) == 1 and {answer.status for answer in answers.values()} == {403}, answers


def test_root_is_told_at_once_that_a_program_is_not_there(people: Machine, tmp_path: Path) -> None:
    done = people.pmond.run("exec", str(tmp_path / "nowhere"), "--name", "nowhere")
    assert done.returncode != 0
    assert "does not exist" in done.stderr
