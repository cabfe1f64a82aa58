"""Several of one process, with a real pmond: names, numbers, scaling, and changing them one by one."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.ports import free_ports
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SAYS = ["-c", "echo $PMON3_REPLICA of $PMON3_REPLICAS; exec sleep 1000"]


def several(pmond: Pmond, count: int | None, *others: dict[str, Any], **more: Any) -> str:
    """A manifest with so many of `web`, in the state folder of this pmond."""
    said = {} if count is None else {"replicas": count}
    web = {"name": "web", "file": "/bin/sh", "args": SAYS, **said, **more}
    path = pmond.folder / "several.json"
    path.write_text(json.dumps({"processes": [web, *others]}))
    return str(path)


def pids(pmond: Pmond) -> dict[str, int]:
    return {name: row["pid"] for name, row in pmond.rows().items()}


def test_verbs_groups_and_logs_mean_all_of_them_by_the_plain_name(pmond: Pmond) -> None:
    pmond.ok("apply", "-f", several(pmond, 3, groups=["front"]))
    assert sorted(pids(pmond)) == ["web@0", "web@1", "web@2"]
    assert sorted(pmond.ok("log", "web").splitlines()) == [f"web@{n} | {n} of 3" for n in range(3)]
    assert pmond.ok("log", "web@1") == "1 of 3\n"
    pmond.ok("stop", "web@1")
    assert [row["pid"] > 0 for row in pmond.rows().values()] == [True, False, True]
    pmond.ok("stop", "web")
    assert not any(pids(pmond).values())
    pmond.ok("group", "restart", "front")
    assert all(pids(pmond).values())
    pmond.ok("wait", "web")
    described = json.loads(pmond.ok("desc", "web", "-o", "json"))
    assert [one["replica"] for one in described] == [
        {"of": "web", "index": n, "count": 3, "declared": 3} for n in range(3)
    ]
    pmond.ok("del", "web")
    assert pids(pmond) == {}


def test_scaling_is_laid_over_the_manifest_until_unhold(pmond: Pmond) -> None:
    file = several(pmond, 2)
    pmond.ok("apply", "-f", file)
    before = pids(pmond)
    done = pmond.run("scale", "web=4")
    assert done.returncode == 0 and "its manifest says 2; pmon3 unhold web" in done.stderr
    assert pids(pmond).items() >= before.items() and len(pids(pmond)) == 4
    assert "web is scaled to 4 instead of 2" in pmond.ok("diff", "-f", file)
    assert "2 of 4 of web (its manifest says 2; pmon3 unhold web goes back)" in pmond.ok("desc", "web@1")
    pmond.ok("apply", "-f", file)
    pmond.kill()
    pmond.start()
    assert len(pids(pmond)) == 4, "neither an apply nor the death of pmond takes it back"
    pmond.ok("scale", "web=1")
    assert pids(pmond) == {"web@0": before["web@0"]}, "the highest numbers go first"
    pmond.ok("unhold", "web")
    until(lambda: sorted(pids(pmond)) == ["web@0", "web@1"], "as the manifest says again")


def test_scaling_can_be_made_the_word_of_the_manifest(pmond: Pmond) -> None:
    file = several(pmond, 2)
    pmond.ok("apply", "-f", file)
    pmond.ok("scale", "web=3", "--write")
    assert json.loads(Path(file).read_text())["processes"][0]["replicas"] == 3
    pmond.ok("apply", "-f", file)
    assert "scaled" not in pmond.ok("diff", "-f", file)


def test_one_becomes_many_and_back_with_its_pid_and_its_log(pmond: Pmond) -> None:
    pmond.ok("exec", "/bin/sh", "--name", "web", "--", *SAYS)
    alone = pids(pmond)["web"]
    pmond.ok("scale", "web=3")
    assert pids(pmond)["web@0"] == alone
    assert pmond.ok("log", "web@0") == "of\n", "what it wrote when it was the only one"
    pmond.ok("scale", "web=0")
    row = pmond.rows()["web"]
    assert (row["status"], row["reason"]) == ("stopped", "0 replicas")
    refused = pmond.run("start", "web")
    assert refused.returncode != 0 and "it has 0 replicas (pmon3 scale web=1)" in refused.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["web@1=2"], "it is one of web"),
        (["web=1", "web=2"], "twice"),
        (["web=-1"], "cannot read 'web=-1'"),
        (["web"], "cannot read 'web'"),
        (["web=1001"], "0 to 1000"),
    ],
)
def test_what_is_no_number_of_a_process_is_a_mistake(pmond: Pmond, words: list[str], why: str) -> None:
    done = pmond.run("scale", "--", *words)
    assert done.returncode == 2 and why in done.stderr


def test_what_is_exported_folds_them_and_changes_nothing(pmond: Pmond) -> None:
    args = ["-c", "exec sleep 10${REPLICA}"]
    pmond.ok("apply", "-f", several(pmond, 3, args=args))
    before = pids(pmond)
    exported = pmond.folder / "several.json"
    exported.write_text(pmond.ok("export", "json"))
    (one,) = json.loads(exported.read_text())["processes"]
    assert (one["replicas"], one["name"]) == (3, "web") and "${REPLICA}" in one["args"]
    assert "no changes" in pmond.ok("diff", "-f", str(exported))
    assert pids(pmond) == before


SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(sys.argv[2].encode())
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def servers(pmond: Pmond, port: int, version: str, **more: Any) -> str:
    at = f"${{REPLICA+{port}}}"
    return several(
        pmond,
        3,
        file=sys.executable,
        args=["-c", SERVER, at, version],
        ready={"http": f"http://127.0.0.1:{at}/", "interval": "50ms", "deadline": "10s"},
        rollout={"min_ready": "100ms"},
        **more,
    )


@contextmanager
def asking_all_the_time(ports: list[int]) -> Iterator[list[int]]:
    """How many of the ports answered, each time that all were asked."""
    serving: list[int] = []
    over = threading.Event()

    def answers(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def ask() -> None:
        while not over.is_set():
            serving.append(sum(map(answers, ports)))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield serving
    finally:
        over.set()
        asker.join()


def test_never_fewer_serve_than_was_promised(pmond: Pmond) -> None:
    port = free_ports(3)
    pmond.ok("apply", "-f", servers(pmond, port, "old"))
    before = pids(pmond)
    ports = [port, port + 1, port + 2]
    with asking_all_the_time(ports) as serving:
        pmond.ok("apply", "-f", servers(pmond, port, "new"))
        pmond.ok("restart", "--rolling", "web")
    assert min(serving) >= 2, serving
    assert not set(before.values()) & set(pids(pmond).values())


def test_a_bad_version_goes_no_further_than_the_first_and_back_where_that_is_said(pmond: Pmond) -> None:
    port = free_ports(3)
    pmond.ok("apply", "-f", servers(pmond, port, "old"))
    before = pids(pmond)
    with asking_all_the_time([port, port + 1, port + 2]) as serving:
        bad = servers(pmond, port, "bad", env_vars={"PYTHONHOME": "/nowhere"}, restart={"policy": "never"})
        done = pmond.run("apply", "-f", bad, "--on-failure", "rollback")
        until(lambda: all(row["ready"] for row in pmond.rows().values()), "the old version serves again")
    assert done.returncode == 7
    assert min(serving) >= 2, serving
    after = pids(pmond)
    assert (after["web@1"], after["web@2"]) == (before["web@1"], before["web@2"])


def test_what_a_lost_state_left_of_replicas_is_found_again(pmond: Pmond) -> None:
    """Those that the manifest declares are the same; the others are said to be in the way."""
    pmond.declare({"name": "web", "file": "/bin/sh", "args": SAYS, "replicas": 2})
    pmond.ok("init")
    pmond.ok("scale", "web=3")
    before = pids(pmond)
    pmond.kill()
    for file in pmond.folder.glob("**/data.db*"):
        file.unlink()
    pmond.start()
    assert pids(pmond) == before
    refused = pmond.run("scale", "web=3")
    assert refused.returncode != 0 and "web@2 is the name of another process" in refused.stderr
    pmond.ok("del", "web@2")
    pmond.ok("scale", "web=3")
    assert sorted(pids(pmond)) == sorted(before)


def test_no_more_than_the_last_can_have(pmond: Pmond) -> None:
    pmond.ok(
        "apply", "-f", several(pmond, 2, ready={"tcp": "${REPLICA+65530}", "deadline": "1h"}), "--no-wait"
    )
    refused = pmond.run("scale", "web=10")
    assert refused.returncode != 0 and "of the last replica '65539' is not HOST:PORT" in refused.stderr
    assert sorted(pids(pmond)) == ["web@0", "web@1"]


def test_init_does_not_wait_for_what_there_is_nothing_of(pmond: Pmond) -> None:
    pmond.declare({"name": "web", "file": "/bin/sh", "args": SAYS, "replicas": 1})
    pmond.ok("init")
    pmond.ok("scale", "web=0")
    pmond.ok("init")
    assert pmond.rows()["web"]["reason"] == "0 replicas"
