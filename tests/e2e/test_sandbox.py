"""A sandbox under a whole pmond: nobody asks pmond from within, a shell is in it too, it outlives pmond."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.chaos.hosts import AS_ORDINARY, needs
from tests.support.other_users import ASK
from tests.support.pmond import Pmond, temporary_pmond
from tests.support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="this test's pmond is root's"),
]
HOST = "/usr/bin/python3"
READ_ONLY = {"read_only": ["/"]}


def shut_in(name: str = "web", **fields: Any) -> dict[str, Any]:
    return {"name": name, "file": "/bin/sleep", "args": ["1000"], "sandbox": READ_ONLY, **fields}


def running(pmond: Pmond, *processes: dict[str, Any]) -> None:
    pmond.declare(*processes)
    pmond.ok("init")
    for process in processes:
        pmond.until(process["name"], "running")


def mounts_of(pid: int) -> str:
    return str(Path(f"/proc/{pid}/ns/mnt").readlink())


def asks(pmond: Pmond, name: str, **fields: Any) -> dict[str, Any]:
    """A program that asks its pmond to start another, writes the status of the answer down, and stays."""
    body = json.dumps({"spec": {"file": "/bin/sleep", "args": ["1000"], "name": f"by-{name}"}, "cwd": "/"})
    code = f"import time\n{ASK}\ntime.sleep(1000)"
    words = ["-I", "-S", "-u", "-c", code, str(pmond.socket), "POST", "/v1/processes", body]
    return {"name": name, "file": HOST, "args": words, **fields}


def test_a_program_in_a_sandbox_has_nothing_started_outside_of_it(pmond: Pmond) -> None:
    running(pmond, asks(pmond, "free"), asks(pmond, "shut", sandbox={"hidden": ["/boot"]}))
    logs = {name: pmond.folder / "logs" / f"{name}.log" for name in ("free", "shut")}
    until(lambda: all(log.exists() and log.read_text() for log in logs.values()), "both to be answered")
    assert json.loads(logs["free"].read_text())[0] == 200
    status, text = json.loads(logs["shut"].read_text())
    assert status == 403 and "in the sandbox of a process such as shut" in text
    assert "by-free" in pmond.rows() and "by-shut" not in pmond.rows()


def test_a_shell_is_in_a_sandbox_of_the_same_kind(pmond: Pmond) -> None:
    running(
        pmond, shut_in(sandbox={**READ_ONLY, "network": "none", "writable": [str(pmond.folder / "data")]})
    )
    there = pmond.folder / "data" / "there"
    done = pmond.run(
        "shell", "web", "--", "/bin/sh", "-c", f"touch {there}; touch /etc/written; ls /sys/class/net"
    )
    assert "Read-only file system" in done.stderr and not Path("/etc/written").exists()
    assert there.exists()
    said = pmond.ok("shell", "web", "--", "/bin/cat", "/proc/net/dev")
    assert [line.split(":")[0].strip() for line in said.splitlines()[2:]] == ["lo"]


def test_it_goes_on_in_its_sandbox_when_pmond_is_killed(pmond: Pmond) -> None:
    running(pmond, shut_in())
    pid = pmond.row("web")["pid"]
    before = mounts_of(pid)
    assert before != mounts_of(os.getpid())
    pmond.kill()
    pmond.start()
    assert (pmond.until("web", "running")["pid"], mounts_of(pid)) == (pid, before)
    pmond.ok("stop", "web")
    pmond.until("web", "stopped")


def test_what_cannot_be_had_is_the_reason_why_it_does_not_run(pmond: Pmond) -> None:
    pmond.declare(shut_in(sandbox={"hidden": [str(pmond.folder / "none")]}))
    pmond.ok("init", "--no-wait")
    reason = pmond.until("web", "backoff")["reason"]
    assert "its sandbox cannot be had" in reason and "what is shut in or out must exist" in reason


def test_probes_and_hooks_are_in_it_too(pmond: Pmond) -> None:
    touch = ["/bin/sh", "-c", f"touch {pmond.folder}/written-$PPID"]
    running(pmond, shut_in(hooks={"pre_start": [["/bin/sh", "-c", f"! touch {pmond.folder}/by-hook"]]}))
    assert not (pmond.folder / "by-hook").exists()
    pmond.declare(shut_in("probed", ready={"exec": touch, "interval": "100ms"}))
    pmond.ok("init", "--no-wait")
    until(lambda: "Read-only" in json.dumps(pmond.row("probed")["probe"]), "the probe to fail")
    assert not list(pmond.folder.glob("written-*"))


def test_a_sandbox_that_changes_is_a_restart(pmond: Pmond) -> None:
    running(pmond, shut_in())
    pid = pmond.row("web")["pid"]
    pmond.declare(shut_in(sandbox={"read_only": ["/usr"]}))
    plan = json.loads(pmond.run("plan", "--restart", "web", "-o", "json").stdout)
    (action,) = plan["actions"]
    assert (action["action"], {change["effect"] for change in action["changes"]}) == ("restart", {"restart"})
    pmond.ok("restart", "web")
    assert pmond.until("web", "running")["pid"] != pid


def test_without_its_state_pmond_starts_nothing_outside_of_its_sandbox(pmond: Pmond) -> None:
    """What was submitted is declared nowhere else, and what runs does not tell what it is kept from."""
    body = {"spec": {"file": "/bin/sleep", "args": ["1000"], "name": "cli", "sandbox": READ_ONLY}, "cwd": "/"}
    assert pmond.ask("POST", "/v1/processes", body).status == 200
    pid = pmond.until("cli", "running")["pid"]
    pmond.kill()
    for file in (pmond.folder / "data").glob("data.db*"):
        file.unlink()
    pmond.start()
    until(lambda: "cli" in pmond.rows(), "it to be found")
    row, spec = pmond.row("cli"), json.loads(pmond.ok("desc", "cli", "-o", "json"))["spec"]
    assert row["pid"] == pid and "it runs in a sandbox" in row["hold"]["reason"]
    assert spec["autostart"] is False and spec["restart"]["policy"] == "never"
    assert spec["sandbox"] == {"no_new_privileges": True, "capabilities": []}, "should a person start it"


def test_an_ordinary_user_has_sandboxes_too() -> None:
    """In a user namespace of each, as that user's pmond has no rights to give."""
    needs(*AS_ORDINARY)
    if int(Path("/proc/sys/user/max_user_namespaces").read_text()) == 0:
        pytest.skip("this host has no user namespaces for ordinary users")
    with temporary_pmond(around=AS_ORDINARY) as pmond:
        pmond.folder.chmod(0o755)
        code = "touch /tmp/outside-$$; ls -a /tmp | wc -l; wc -l < /proc/net/dev; echo done; exec sleep 1000"
        sandbox = {"read_only": ["/usr", "/etc"], "private_tmp": True, "network": "none"}
        web = {"name": "web", "file": "/bin/sh", "args": ["-c", code], "cwd": "/"}
        pmond.declare({**web, "sandbox": sandbox})
        pmond.start()
        log = pmond.folder / "logs" / "web.log"
        until(lambda: log.exists() and "done" in log.read_text(), "it to have looked around")
        assert log.read_text().split() == ["3", "3", "done"]
        row = pmond.ask("GET", "/v1/processes/web").body
        assert row["status"] in ("init", "running")
        assert mounts_of(row["pid"]) != mounts_of(pmond.pid)
        status = Path(f"/proc/{row['pid']}/status").read_text()
        assert "NoNewPrivs:\t1" in status and "CapEff:\t0000000000000000" in status
        pid = row["pid"]
        pmond.kill()
        pmond.start()
        assert pmond.ask("GET", "/v1/processes/web").body["pid"] == pid
