"""A program tries to break out of its sandbox, as root and as another user; what cannot be is an error."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.breakout import Prison, attempts, prison
from tests.support.starting import output, start

from pmon3_schema import capability_names, kernel_calls, sandbox_mounts, sandbox_setup
from pmon3_schema.answers import SandboxOrders
from pmond.runtime.processes import spawn
from pmond.runtime.processes.failures import SpawnError
from pmond.runtime.processes.spawn import seal_descriptors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root starts programs as other users"),
]
USERS = pytest.mark.parametrize("user", ["root", "nobody"])
HOST = "/usr/bin/python3"
"""The interpreter of the host, which every user may run."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may look into."""
    seal_descriptors()
    closed = [
        one for one in (tmp_path, *tmp_path.parents) if one.name.startswith(("test_", "popen-", "pytest-"))
    ]
    for one in closed:
        one.chmod(0o755)
    return tmp_path


@pytest.fixture
def cell(folder: Path, user: str) -> Iterator[Prison]:
    account = pwd.getpwnam(user)
    with prison(folder, account.pw_uid, account.pw_gid) as made:
        yield made


def tried(cell: Prison, logs: Path, user: str, **sandbox: Any) -> set[str]:
    return attempts(output(logs, HOST, *cell.words, user=user, sandbox=sandbox))


@USERS
def test_without_a_sandbox_the_ways_are_open(cell: Prison, folder: Path, user: str) -> None:
    """So the program is worth being afraid of."""
    found = tried(cell, folder / "logs", user)
    always = {
        "write inside", "write outside", "read the secret", "read the secret file", "connect",
        "connect by an abstract name", "see the files of others in /tmp", "look through a neighbour",
    }  # fmt: skip
    assert found >= always
    of_root = {"administer the system", "unmount", "mount", "make a device", "turn a switch of the kernel"}
    assert found >= (of_root - {"unmount"} if user == "root" else {"become root by a setuid program"})


@USERS
def test_it_writes_nowhere_but_where_it_may(cell: Prison, folder: Path, user: str) -> None:
    found = tried(cell, folder / "logs", user, read_only=["/"], writable=[cell.path("inside_folder")])
    reachable = {"write inside", "read the secret", "read the secret file", "connect"}
    assert found <= reachable | {"connect by an abstract name", "see the files of others in /tmp"}
    assert "write inside" in found and not Path(cell.path("outside")).exists()


@USERS
def test_one_folder_alone_can_be_read_only(cell: Prison, folder: Path, user: str) -> None:
    found = tried(cell, folder / "logs", user, read_only=[cell.path("outside_folder")])
    assert "write inside" in found
    assert not found & {"write outside", "take a neighbour over", "open a disk", "mount", "unmount"}


@USERS
def test_what_is_hidden_is_not_read(cell: Prison, folder: Path, user: str) -> None:
    hidden = [cell.path("secret"), cell.path("secret_file")]
    found = tried(cell, folder / "logs", user, hidden=hidden)
    assert {"write inside", "write outside"} <= found
    assert not found & {
        "read the secret", "read the secret file", "look through a neighbour", "unmount",
        "unmount in a user namespace", "take a neighbour over", "open a disk",
    }  # fmt: skip


@USERS
def test_without_a_network_nobody_is_reached(cell: Prison, folder: Path, user: str) -> None:
    found = tried(cell, folder / "logs", user, network="none")
    assert {"write inside", "read the secret"} <= found
    assert not found & {"connect", "connect by an abstract name", "take a neighbour over"}


@USERS
def test_a_private_tmp_is_empty_and_its_own(cell: Prison, folder: Path, user: str) -> None:
    code = "import os; print(os.listdir('/tmp'), os.listdir('/var/tmp')); open('/tmp/mine', 'w')"
    said = output(
        folder / "logs", HOST, "-I", "-S", "-c", code, user=user, sandbox={"private_tmp": True}, cwd="/"
    )
    assert said == "[] []\n" and not Path("/tmp/mine").exists()


@pytest.mark.parametrize("user", ["nobody"])
def test_nothing_that_it_executes_has_more_rights(cell: Prison, folder: Path, user: str) -> None:
    found = tried(cell, folder / "logs", user, no_new_privileges=True)
    assert "write outside" in found and "become root by a setuid program" not in found


def capabilities_of(logs: Path, user: str, **sandbox: Any) -> dict[str, int]:
    text = output(logs, "/bin/cat", "/proc/self/status", user=user, sandbox=sandbox)
    fields = dict(line.split(":\t", 1) for line in text.splitlines())
    return {name: int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")}


def test_it_has_the_capabilities_that_are_named_and_never_another(folder: Path) -> None:
    bind = 1 << capability_names.NUMBERS["CAP_NET_BIND_SERVICE"]
    named = ["CAP_NET_BIND_SERVICE"]
    as_nobody = capabilities_of(folder / "a", "nobody", capabilities=named)
    assert as_nobody == {"CapPrm": bind, "CapEff": bind, "CapBnd": bind, "CapAmb": bind}
    as_root = capabilities_of(folder / "b", "root", capabilities=named)
    assert as_root == {"CapPrm": bind, "CapEff": bind, "CapBnd": bind, "CapAmb": 0}
    nothing = {"CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapAmb": 0}
    assert capabilities_of(folder / "c", "root", capabilities=[]) == nothing
    assert capabilities_of(folder / "d", "nobody", capabilities=[]) == nothing


@USERS
def test_bounded_capabilities_cannot_be_raised(cell: Prison, folder: Path, user: str) -> None:
    found = tried(cell, folder / "logs", user, capabilities=[])
    assert not found & {
        "administer the system", "mount", "unmount", "make a device", "become root by a setuid program",
    }  # fmt: skip


def test_a_low_port_is_opened_by_an_ordinary_user_who_may(folder: Path) -> None:
    code = "import socket; socket.create_server(('127.0.0.1', 1)).close(); print('open')"
    sandbox = {"network": "none", "capabilities": ["CAP_NET_BIND_SERVICE"]}
    given: dict[str, Any] = {"user": "nobody", "sandbox": sandbox}
    words = (HOST, "-I", "-S", "-c", code)
    # The port is below those that are free for all, in a network of its own too.
    assert output(folder / "logs", *words, **given) == "open\n"


def test_what_does_not_exist_is_an_error_and_the_program_is_not_started(folder: Path) -> None:
    for key in ("hidden", "read_only"):
        with pytest.raises(SpawnError) as caught:
            start(folder / "logs", "/bin/touch", str(folder / "ran"), sandbox={key: [f"{folder}/none"]})
        assert caught.value.reason == "SandboxNotAvailable"
        assert f"{folder}/none: No such file or directory" in caught.value.message
    assert not (folder / "ran").exists()


def test_somebody_elses_spec_tells_him_nothing_of_what_is_closed_to_him(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "there").touch()
    said = []
    for name in ("there", "not-there"):
        with pytest.raises(SpawnError) as caught:
            start(
                folder / "logs", "/bin/true", user="nobody", trusted=False,
                sandbox={"hidden": [f"{closed}/{name}"]}, log="/dev/null",
            )  # fmt: skip
        said.append(caught.value.message.replace("not-there", "there"))
    assert said[0] == said[1] and "Permission denied" in said[0]


def test_capabilities_are_not_for_everybody_to_give(folder: Path) -> None:
    sandbox = {"capabilities": ["CAP_NET_BIND_SERVICE"]}
    with pytest.raises(SpawnError, match="for root to give"):
        start(folder / "logs", "/bin/true", user="nobody", trusted=False, sandbox=sandbox, log="/dev/null")


def test_the_pid_the_marker_and_the_log_stay_what_they_are(folder: Path) -> None:
    code = (
        "import os; print(os.getpid(), os.getppid(), os.environ['PMON3_INSTANCE'],"
        " os.listdir('/proc/self/fd'))"
    )
    sandbox = {"read_only": ["/"], "private_tmp": True, "network": "none"}
    child = start(folder / "logs", HOST, "-I", "-S", "-c", code, user="nobody", sandbox=sandbox, cwd="/")
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == 0
    pid, parent, marker, *descriptors = (folder / "logs" / "test.log").read_text().split()
    assert (int(pid), int(parent)) == (child.pid, os.getpid())
    assert marker.endswith(":test:1") and " ".join(descriptors) == "['0', '1', '2', '3']"


ORDINARY = """
import json, os, sys, types
package = sys.modules["pmon3_schema"] = types.ModuleType("pmon3_schema")
modules, orders, words = json.load(sys.stdin)
for name, text in modules:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.isolate(orders)
module.confine(orders)
os.execv(words[0], words)
"""
"""What the launcher of a pmond of his own does for an ordinary user."""


@pytest.mark.parametrize("user", ["nobody"])
def test_an_ordinary_user_shuts_his_own_programs_in(cell: Prison, folder: Path, user: str) -> None:
    if int(Path("/proc/sys/user/max_user_namespaces").read_text()) == 0:
        pytest.skip("this host has no user namespaces for ordinary users")
    account = pwd.getpwnam(user)
    orders: SandboxOrders = {
        "uid": account.pw_uid, "no_new_privileges": False, "capabilities": None, "private_tmp": False,
        "read_only": ["/"], "hidden": [cell.path("secret"), cell.path("secret_file")],
        "writable": [cell.path("inside_folder")], "network": True,
    }  # fmt: skip
    modules = [
        (module.__name__, Path(str(module.__file__)).read_text())
        for module in (capability_names, kernel_calls, sandbox_mounts, sandbox_setup)
    ]
    done = subprocess.run(
        [HOST, "-I", "-S", "-c", ORDINARY], input=json.dumps([modules, orders, [HOST, *cell.words]]),
        capture_output=True, text=True, user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/",
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = attempts(done.stdout)
    assert "write inside" in found
    assert found <= {"write inside", "see the files of others in /tmp"}


def test_a_launcher_without_a_sandbox_loads_nothing_of_it(folder: Path) -> None:
    """Every start with a user pays for what its launcher loads."""
    assert all("sandbox" not in name for name, _ in spawn.MODULES)
