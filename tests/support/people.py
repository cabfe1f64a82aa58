"""People with accounts on the machine of a root pmond, as far as that pmond can see, and what they ask of it.

Nobody is added to the machine: pmond's own look-ups in the user database are answered with these
accounts, in its interpreter, and the kernel knows numbers only. A person asks through a process of its
own user, which stays for all its requests and makes a connection for each.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.pmond import Answer, Pmond

INTERPRETER = "/usr/bin/python3"
"""Of the host: that of the virtual environment is not for everybody to run."""

needs_people = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(INTERPRETER, os.X_OK),
    reason="only root can ask as somebody else, who needs an interpreter that everybody may run",
)


class Person(NamedTuple):
    """An account: its name, its number, and the groups it is in besides its own."""

    name: str
    uid: int
    groups: tuple[int, ...] = ()


OPS, READERS = 42600, 42601
"""Groups: the control group, and one of viewers."""

ROOT = Person("root", 0)
ALICE, BOB = Person("alice", 42501), Person("bob", 42502)
CAROL = Person("carol", 42503, (OPS,))
"""A member of the control group, which is none of her login groups: a supplementary one."""
OSCAR, VERA, ADA = Person("oscar", 42504), Person("vera", 42505, (READERS,)), Person("ada", 42506)
"""To be an operator, a viewer and an administrator by config.yml."""
WEB = Person("www", 42507)
"""A user that services run as, and nobody asks as."""
DIGITS = Person("42502", 42508)
"""An account whose name is bob's number."""
PEOPLE = (ALICE, BOB, CAROL, OSCAR, VERA, ADA, WEB, DIGITS)
GROUPS = {"pmon3ops": OPS, "readers": READERS}

_DATABASE = """
import grp, os, pwd
_people = {people!r}
_groups = {groups!r}
def _entry(name, uid): return pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))
_by_name = {{name: _entry(name, uid) for name, uid, _ in _people}}
_by_uid = {{entry.pw_uid: entry for entry in _by_name.values()}}
def _first(known, ask):
    return lambda key: known[key] if key in known else ask(key)
pwd.getpwnam, pwd.getpwuid = _first(_by_name, pwd.getpwnam), _first(_by_uid, pwd.getpwuid)
grp.getgrnam = _first({{n: grp.struct_group((n, "x", g, [])) for n, g in _groups.items()}}, grp.getgrnam)
_member = {{name: [uid, *groups] for name, uid, groups in _people}}
_listed = os.getgrouplist
os.getgrouplist = lambda name, gid: _member[name] if name in _member else _listed(name, gid)
"""

_ASKING = """
import http.client, json, resource, socket, sys
for number, values in json.loads(sys.argv[2]):
    resource.setrlimit(number, values)
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(sys.argv[1])
for line in sys.stdin:
    method, target, body = json.loads(line)
    connection = Unix("pmond", timeout=30)
    try:
        connection.request(method, target, body and body.encode("utf-8", "surrogatepass"))
        answer = connection.getresponse()
        said = [answer.status, answer.read().decode()]
    except (OSError, http.client.HTTPException) as error:
        said = [0, repr(error)]
    connection.close()
    print(json.dumps(said), flush=True)
"""


class Caller:
    """Somebody who asks a pmond."""

    def __init__(self, person: Person, pmond: Pmond, limits: Mapping[int, tuple[int, int]]) -> None:
        self.person = person
        self._process = subprocess.Popen(
            [INTERPRETER, "-I", "-S", "-c", _ASKING, str(pmond.socket), json.dumps(list(limits.items()))],
            user=person.uid, group=person.uid, extra_groups=list(person.groups), cwd="/", env={},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def begin(self, method: str, target: str, body: object = None) -> None:
        """One request whose answer nobody waits for."""
        assert self._process.stdin is not None
        text = "" if body is None else json.dumps(body)
        self._process.stdin.write(json.dumps([method, target, text]) + "\n")
        self._process.stdin.flush()

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        """One request on a connection of its own; the body of the answer is text where it is no JSON."""
        assert self._process.stdout is not None
        self.begin(method, target, body)
        status, said = json.loads(self._process.stdout.readline())
        try:
            return Answer(status, json.loads(said or "null"))
        except ValueError:
            return Answer(status, said)

    def submit(self, name: str, *, replace: bool = False, **spec: Any) -> Answer:
        """Submit a process, a sleeping one unless `spec` says otherwise."""
        whole = {"file": "/bin/sleep", "args": ["1000"], "name": name, **spec}
        return self.ask("POST", "/v1/processes", {"spec": whole, "cwd": "/", "replace": replace})

    def act(self, verb: str, *refs: str, **changes: Any) -> Answer:
        return self.ask("POST", f"/v1/actions/{verb}", {"refs": list(refs), "changes": changes})

    def apply(self, path: str, *processes: dict[str, Any], **options: Any) -> Answer:
        """Apply a manifest that stands at this path, as far as pmond can know."""
        text = json.dumps({"processes": list(processes)})
        return self.ask("POST", "/v1/apply", {"documents": [{"path": path, "text": text}], **options})

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Machine:
    """A pmond of root and those who ask it."""

    def __init__(self, pmond: Pmond, stack: ExitStack) -> None:
        self.pmond = pmond
        self._stack = stack
        self._callers: dict[Person, Caller] = {}

    def by(self, person: Person) -> Caller:
        """The way of a person to pmond."""
        if person not in self._callers:
            self._callers[person] = self.another(person)
        return self._callers[person]

    def another(self, person: Person, limits: Mapping[int, tuple[int, int]] | None = None) -> Caller:
        """A second process of that person, with such resource limits."""
        caller = Caller(person, self.pmond, limits or {})
        self._stack.callback(caller.close)
        return caller

    def home(self, person: Person) -> Path:
        """A folder of that person's own."""
        folder = self.pmond.folder / person.name
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, person.uid, person.uid)
        return folder

    def uids(self) -> dict[str, int]:
        """As whom each process that runs does so, by the kernel."""
        running = [row for row in self.pmond.rows().values() if row["status"] == "running"]
        return {row["name"]: Path(f"/proc/{row['pid']}").stat().st_uid for row in running}


@contextmanager
def machine(config: str = "") -> Iterator[Machine]:
    """A root pmond that knows these people, not yet started."""
    folder = Path(tempfile.mkdtemp(prefix="pmon3-"))
    folder.chmod(0o755)
    try:
        with Pmond(folder, config) as pmond, ExitStack() as stack:
            site = folder / "site"
            site.mkdir()
            people = [tuple(person) for person in PEOPLE]
            (site / "sitecustomize.py").write_text(_DATABASE.format(people=people, groups=GROUPS))
            pmond.environment["PYTHONPATH"] = str(site)
            yield Machine(pmond, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
