"""A program that tries to break out of a sandbox in every way it knows, and tells which it found."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

_ATTEMPTS = r"""
import ctypes, json, os, socket, subprocess, sys
given = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
found = []
def attempt(name, act):
    try:
        if act():
            found.append(name)
    except Exception:
        pass
def write(path):
    with open(path, "a") as file:
        return bool(file.write("out")) or True
def listed(path):
    return bool(os.listdir(path))
def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(5)
        one.connect(address)
    return True
def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=20)
def attach(pid):
    return libc.ptrace(16, pid, None, None) == 0
def mount():
    place = given["inside_folder"].encode()
    return libc.mount(b"none", place, b"tmpfs", 0, None) == 0 and libc.umount2(place, 2) == 0
def capabilities():
    header, administers = (ctypes.c_uint32 * 2)(0x20080522, 0), 1 << 21
    data = (ctypes.c_uint32 * 6)(administers, administers, 0, 0, 0, 0)
    return libc.capset(header, data) == 0
attempt("write outside", lambda: write(given["outside"]))
attempt("write inside", lambda: write(given["inside"]))
attempt("read the secret", lambda: open(given["secret"] + "/key").read())
attempt("read the secret file", lambda: open(given["secret_file"]).read())
attempt("connect", lambda: connect(socket.AF_INET, ("127.0.0.1", given["port"])))
attempt("connect by an abstract name", lambda: connect(socket.AF_UNIX, "\0" + given["abstract"]))
attempt("become root by a setuid program",
    lambda: os.geteuid() and run(given["setuid"], "-u").stdout.strip() == "0")
attempt("see the files of others in /tmp", lambda: os.path.exists(given["in_tmp"]))
attempt("unmount",
    lambda: [libc.umount2(given[key].encode(), 2) for key in ("secret", "outside_folder")].count(0))
attempt("unmount in a user namespace",
    lambda: run("unshare", "-Urm", "umount", given["secret"]).returncode == 0)
attempt("mount", mount)
attempt("look through a neighbour",
    lambda: open("/proc/%d/root%s/key" % (given["neighbour"], given["secret"])).read())
attempt("take a neighbour over", lambda: attach(given["neighbour"]))
attempt("make a device",
    lambda: libc.mknod((given["inside_folder"] + "/disk").encode(), 0o60600, 0xFE00) == 0)
attempt("open a disk", lambda: os.open(given["disk"], os.O_RDONLY))
attempt("turn a switch of the kernel", lambda: os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
attempt("administer the system", capabilities)
print(json.dumps(found))
"""


class Prison(Struct, frozen=True):
    """What there is to be reached: the program is to write into one folder, and to do nothing else."""

    given: dict[str, Any]

    @property
    def words(self) -> list[str]:
        """The arguments of the interpreter."""
        return ["-I", "-S", "-c", _ATTEMPTS, json.dumps(self.given)]

    def path(self, key: str) -> str:
        return str(self.given[key])


def attempts(text: str) -> set[str]:
    """What it has managed, by its output."""
    return set(json.loads(text.splitlines()[-1]))


@contextmanager
def prison(folder: Path, uid: int, gid: int) -> Iterator[Prison]:
    """Folders, a listener, a setuid program and a neighbour of the same user, in a folder for all to see."""
    for name in ("inside", "outside", "secret"):
        (folder / name).mkdir()
        os.chown(folder / name, uid, -1)
    for file in (folder / "secret" / "key", folder / "secret-file"):
        file.write_text("secret")
    setuid = folder / "id"
    shutil.copy("/usr/bin/id", setuid)
    setuid.chmod(0o4755)
    in_tmp = Path("/tmp") / f"{folder.name}-{os.getpid()}"
    in_tmp.touch()
    abstract = str(folder)
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_UNIX) as named,
        subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=uid, group=gid, extra_groups=[]) as one,
    ):
        named.bind(f"\0{abstract}")
        named.listen()
        try:
            yield Prison({
                "inside": str(folder / "inside" / "file"), "inside_folder": str(folder / "inside"),
                "outside": str(folder / "outside" / "file"), "outside_folder": str(folder / "outside"),
                "secret": str(folder / "secret"), "secret_file": str(folder / "secret-file"),
                "port": listening.getsockname()[1], "abstract": abstract, "setuid": str(setuid),
                "in_tmp": str(in_tmp), "neighbour": one.pid, "disk": _disk(),
            })  # fmt: skip
        finally:
            one.kill()
            in_tmp.unlink()


def _disk() -> str:
    """A block device of this machine, if it has one."""
    names = sorted(path.name for path in Path("/sys/block").iterdir())
    return next(
        (f"/dev/{name}" for name in names if not name.startswith(("loop", "ram", "zram"))), "/dev/none"
    )
