"""What an operator says to programs that run, and looks at beside them: signal, reload, shell, cat."""

from __future__ import annotations

import json
import re

import pytest
from tests.support.people import ADA, ALICE, BOB, machine, needs_people
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

LISTENS = """
trap 'echo got HUP' HUP
trap 'echo got USR1' USR1
echo listening
while :; do sleep 0.05; done
"""


def listener(name: str = "web", **more: object) -> dict[str, object]:
    return {"name": name, "file": "/bin/sh", "args": ["-c", LISTENS], **more}


def said(pmond: Pmond, name: str, text: str) -> None:
    until(lambda: text in pmond.ok("log", name, "-n", "all"), f"{name} to say {text!r}", 10)


def listening(pmond: Pmond, *processes: dict[str, object]) -> None:
    pmond.declare(*processes)
    pmond.ok("init")
    for one in processes:
        said(pmond, str(one["name"]), "listening")


def test_a_signal_goes_to_the_main_program_and_an_event_says_who_sent_it(pmond: Pmond) -> None:
    listening(pmond, listener())
    pid = pmond.row("web")["pid"]
    assert pmond.ok("signal", "web", "usr1") == "SIGUSR1 sent to web\n"
    said(pmond, "web", "got USR1")
    (event,) = (event for event in pmond.events() if event["reason"] == "Signalled")
    assert re.fullmatch(rf"\S+ sent SIGUSR1 to pid {pid}", event["message"]) and event["name"] == "web"
    assert pmond.row("web")["pid"] == pid


def test_a_signal_to_the_tree_reaches_its_children(pmond: Pmond) -> None:
    args = ["-c", '/bin/sh -c "$CHILD" & trap : HUP USR1; while :; do wait; done']
    listening(pmond, {"name": "web", "file": "/bin/sh", "args": args, "env_vars": {"CHILD": LISTENS}})
    pmond.ok("signal", "web", "HUP")
    pmond.ok("signal", "web", "USR1", "--tree")
    said(pmond, "web", "got USR1")
    assert "got HUP" not in pmond.ok("log", "web", "-n", "all")


def test_it_is_done_to_all_that_are_named_or_to_none(pmond: Pmond) -> None:
    listening(pmond, listener(), listener("other"))
    pmond.ok("stop", "other")
    for verb, signal in (("signal", ["USR1"]), ("reload", [])):
        ran = pmond.run(verb, "web", "other", *signal)
        assert (ran.returncode, ran.stdout) == (5, "")
        assert f"cannot {verb} other: it does not run" in ran.stderr
    assert pmond.run("signal", "web", "NOISE").returncode == 2
    pmond.ok("signal", "web", "HUP")
    said(pmond, "web", "got HUP")
    assert "USR1" not in pmond.ok("log", "web", "-n", "all")


def test_reload_is_by_command_and_waits_for_its_end_or_else_by_signal(pmond: Pmond) -> None:
    command = ["/bin/sh", "-c", "echo asked $MAINPID; kill -USR1 $MAINPID"]
    listening(
        pmond,
        listener(),
        listener("usr", reload={"signal": "USR1"}),
        listener("own", reload={"command": command}),
        listener("broken", reload={"command": ["/bin/sh", "-c", "exit 3"]}),
    )
    pmond.ok("reload", "web", "usr", "own")
    said(pmond, "web", "got HUP")
    said(pmond, "usr", "got USR1")
    said(pmond, "own", f"asked {pmond.row('own')['pid']}")
    said(pmond, "own", "got USR1")
    ran = pmond.run("reload", "web", "broken")
    assert ran.returncode == 7
    assert "cannot reload broken: its reload command exited with code 3" in ran.stderr
    assert [event["reason"] for event in pmond.events() if event["name"] == "broken"].count(
        "ReloadFailed"
    ) == 1


def test_a_shell_stands_where_the_program_stands(pmond: Pmond) -> None:
    (pmond.folder / "secrets.env").write_text("FROM_FILE=yes\n")
    listening(
        pmond,
        listener(
            cwd=str(pmond.folder), env_vars={"COLOUR": "red"}, env_file=["secrets.env"], umask="0027",
            limits={"nofile": 77},
        ),
    )  # fmt: skip
    script = 'pwd; umask; ulimit -n; echo "$COLOUR $FROM_FILE ${PMON3_INSTANCE-none}"'
    lines = pmond.ok("shell", "web", "--", "/bin/sh", "-c", script).split("\n")
    assert lines == [str(pmond.folder), "0027", "77", "red yes none", ""]
    assert pmond.run("shell", "web", "--", "/bin/sh", "-c", "exit 5").returncode == 5
    ran = pmond.run("shell", "web", "--", "no-such-program")
    assert ran.returncode == 1 and "cannot run no-such-program beside web" in ran.stderr
    assert "web" in pmond.rows() and pmond.row("web")["restart_count"] == 0


def test_cat_shows_the_entry_with_the_lines_it_stands_on_and_the_hold_over_it(pmond: Pmond) -> None:
    pmond.write(
        "processes:\n  - name: web\n    file: /bin/sleep\n    args: ['1000']\n    restart: {delay: 3s}\n"
    )
    pmond.ok("init")
    pmond.until("web", "running")
    pmond.ok("hold", "web", "--reason", "for repairs")
    text = pmond.ok("cat", "web")
    assert text.startswith(
        f"# web: declared at {pmond.manifest_file}:2 by file:{pmond.manifest_file}\n# held down by "
    )
    assert ": for repairs\n" in text and "file: /bin/sleep  # line 3\n" in text
    assert "restart:  # line 5\n  delay: 3s\n" in text
    (found,) = json.loads(pmond.ok("cat", "web", "-o", "json"))
    assert found["entry"]["file"] == "/bin/sleep" and found["hold"]["reason"] == "for repairs"


@needs_people
def test_only_who_may_run_programs_as_somebody_may_tell_his_anything() -> None:
    with machine(f"access: {{administrators: [{ADA.name}]}}\n") as made:
        made.pmond.start()
        assert made.by(ALICE).submit("hers").status == 200
        made.pmond.until("hers", "running")
        asked = (
            ("POST", "/v1/signal", {"refs": ["hers"], "signal": "CONT"}),
            ("POST", "/v1/reload", {"refs": ["hers"]}),
            ("GET", "/v1/processes/hers/surroundings", None),
        )
        for person in (BOB, ADA):
            assert [made.by(person).ask(*one).status for one in asked] == [403, 403, 403]
        found = made.by(ALICE).ask(*asked[2])
        assert found.status == 200 and found.body["uid"] == ALICE.uid
        assert not {"XDG_STATE_HOME", "PMON3_INSTANCE"} & found.body["environment"].keys()
        assert made.by(ALICE).ask(*asked[0]).status == 200
        assert made.pmond.ok("shell", "hers", "--", "/bin/sh", "-c", "id -u; id -G").split() == [
            str(ALICE.uid), str(ALICE.uid),
        ]  # fmt: skip
