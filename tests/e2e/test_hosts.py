"""Verbs on other hosts, by ssh: on one as if it were here, on several at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.ssh_hosts import Hosts, hosts
from tests.support.waiting import until

pytestmark = pytest.mark.slow

NAMES = ("web1", "web2")
TALKS = {"name": "web", "file": "/bin/sh", "args": ["-c", "echo here; exec sleep 1000"]}


@pytest.fixture(scope="module", params=[False, True], ids=["stand-in", "sshd"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Two hosts, each with a pmond and a process of the same name."""
    folder = tmp_path_factory.mktemp("here")
    with hosts(folder, NAMES, real=request.param) as made:
        for pmond in made.pmonds.values():
            pmond.declare(TALKS)
            pmond.start()
            pmond.until("web", "running")
        (folder / "pmon3").mkdir()
        (folder / "pmon3" / "hosts.yaml").write_text(
            "hosts:\n  web1: {address: ssh://web1, labels: {tier: web}, groups: [front]}\n"
            "  web2: {address: ssh://web2, labels: {tier: web}}\n  gone: ssh://gone\n"
        )
        yield made


def test_one_host_is_asked_as_if_it_were_here(both: Hosts) -> None:
    web1 = both.pmonds["web1"]
    for words in (("--host", "ssh://web1"), ("--host=web1",), ("--on", "front")):
        (row,) = json.loads(both.ok("ls", "-o", "json", *words))
        assert row["pid"] == web1.row("web")["pid"] and "host" not in row
    pid = web1.row("web")["pid"]
    assert "web" in both.ok("ls", PMON3_HOST="ssh://web1")
    both.ok("restart", "web", "--host", "web1")
    assert web1.row("web")["pid"] not in (0, pid)
    assert both.ok("log", "web", "-n", "1", "--host", "web1") == "here\n"


def test_a_manifest_of_this_host_is_applied_there(both: Hosts) -> None:
    (both.folder / "app.json").write_text(
        json.dumps({"processes": [{"name": "app", "file": "/bin/sleep", "args": ["1000"]}]})
    )
    said = both.run("apply", "-f", "app.json", *(word for name in NAMES for word in ("--host", name)))
    assert said.returncode == 0, said.stderr
    assert {line.partition(" | ")[0] for line in (said.stdout + said.stderr).splitlines()} == {*NAMES}
    for pmond in both.pmonds.values():
        assert pmond.row("app")["status"] == "running"
    both.ok("del", "app", "--on", "tier=web")
    assert all("app" not in pmond.rows() for pmond in both.pmonds.values())


def test_several_hosts_are_one_table_with_a_column_of_hosts(both: Hosts) -> None:
    table = both.ok("ls", "--on", "tier=web")
    assert "Host" in table.splitlines()[1] and [name in table for name in NAMES] == [True, True]
    found = json.loads(both.ok("ls", "-o", "json", "--on", "tier=web"))
    pids = {(row["host"], row["pid"]) for row in found}
    assert pids == {(name, pmond.row("web")["pid"]) for name, pmond in both.pmonds.items()}
    lines = both.ok("log", "web", "-n", "1", "--on", "tier=web").splitlines()
    assert sorted(lines) == ["web1 | here", "web2 | here"]


def test_the_exit_code_is_the_worst_and_each_host_says_what_is_wrong_with_it(both: Hosts) -> None:
    said = both.run("ls", "-o", "json", "--host", "web1", "--host", "gone")
    assert said.returncode == 3
    assert [row["host"] for row in json.loads(said.stdout)] == ["web1"]
    assert said.stderr.startswith("gone | ") and "cannot reach pmond of gone" in said.stderr
    assert both.run("ls", "--host", "gone").returncode == 3
    said = both.run("ls", "--host", "web1", "--host", "gone")
    assert said.returncode == 3 and "gone | pmon3: cannot reach pmond of gone: " in said.stderr
    said = both.run("stop", "nosuch", "--on", "tier=web")
    assert said.returncode == 1 and said.stderr.count("nosuch") >= 2


def test_what_is_about_the_machine_itself_runs_there(both: Hosts) -> None:
    assert (
        both.ok("shell", "web", "--host", "web2", "--", "/bin/echo", "two words", "$HOME")
        == "two words $HOME\n"
    )
    said = both.run("up", "-f", "app.json", "--host", "web1")
    assert said.returncode == 2 and "the file is on this host" in said.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--host", "ssh://-oProxyCommand=x"), "it is no address"),
        (("--host", "ssh://web1:99999"), "no address"),
        (("--host", "ssh://a b"), "no address"), (("--host", "nosuch"), "there are web1, web2, gone"),
        (("--on", "tier=none"), "none has that label"), (("--host",), "--host has no value"),
    ],
)  # fmt: skip
def test_what_is_no_host_is_said_before_anything_is_done(
    both: Hosts, words: tuple[str, ...], why: str
) -> None:
    said = both.run("ls", *words)
    assert said.returncode in (1, 2) and why in said.stderr and said.stdout == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hosts: [", "hosts.yaml:2:1: "),
        ("hosts: {a: {addres: x}}", "host a has no address"), ("[]", "one key"),
        ("hosts: {a: ssh://x y}", "host a: cannot use"),
    ],
)  # fmt: skip
def test_a_wrong_hosts_file_is_named_with_its_line(both: Hosts, tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "hosts.yaml").write_text(text)
    said = both.run("ls", "--host", "a", PMON3_HOSTS=str(tmp_path / "hosts.yaml"))
    assert said.returncode == 1 and why in said.stderr


def test_a_follower_goes_on_until_it_is_left(both: Hosts) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-P", "-m", "pmon3", "events", "-w", "--on", "tier=web"], env=both.environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        assert follower.stdout is not None
        both.pmonds["web2"].ok("restart", "web")
        lines = iter(follower.stdout.readline, "")
        assert any(line.startswith("web2 | ") and "Started" in line for line in lines)
    finally:
        os.killpg(follower.pid, signal.SIGINT)
        follower.wait(10)
    until(lambda: follower.poll() is not None, "the follower to end")
