"""Poorer hosts than this one, for a pmond that is to come through all the same.

What a host lacks is taken from pmond alone: by a mount namespace of its own, by another user, or
by what its interpreter runs before anything else.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.chaos.machine import ChaosMachine

ORDINARY = 40_000 + os.getpid() % 10_000
"""A user without any other process, whose limit of processes is therefore this pmond's alone."""
AS_ORDINARY = (
    "setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups",
    "--bounding-set=-sys_resource,-sys_admin",
    "--inh-caps=-all,+dac_override,+dac_read_search", "--ambient-caps=-all,+dac_override,+dac_read_search",
)  # fmt: skip
"""Not root, and yet able to read the programs of this test wherever they are."""
OWN_DISK = (
    "unshare",
    "-m",
    "sh",
    "-c",
    'mkdir -p "$0" && mount -t tmpfs -o "$1" none "$0" && shift && exec "$@"',
)
WITHOUT_GROUPS = ("unshare", "-m", "sh", "-c", 'umount -a -t cgroup2; exec "$@"', "sh")
"""Nothing mounted, as in a container."""
WITHOUT_PIDFDS = """
import errno, os
def pidfd_open(pid, flags=0): raise OSError(errno.{name}, os.strerror(errno.{name}))
os.pidfd_open = pidfd_open
"""


def needs(*command: str) -> None:
    """Skip where this cannot be done: not as root, or in a sandbox."""
    if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip(f"cannot {' '.join(command[:2])} here")


def prepared(folder: Path, code: str, around: tuple[str, ...] = ()) -> ChaosMachine:
    """A machine whose pmond is told this by its interpreter."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(code)
    return ChaosMachine(folder / "machine", around, PYTHONPATH=str(site))
