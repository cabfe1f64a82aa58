"""Specifiers in units of systemd: what `%n` and the like stand for, and names of units as text."""

from __future__ import annotations

import grp
import os
import platform
import posixpath
import pwd
import re
from collections.abc import Mapping

from pmon3.converting.settings import NotCarried

# As systemd calls architectures, where uname has another name.
_ARCHITECTURES = {
    "x86_64": "x86-64", "aarch64": "arm64", "aarch64_be": "arm64-be", "i386": "x86", "i486": "x86",
    "i586": "x86", "i686": "x86", "armv6l": "arm", "armv7l": "arm", "armv8l": "arm", "ppc64le": "ppc64-le",
}  # fmt: skip


class Specifiers:
    """What `%n` and the like stand for in one unit.

    User, group and home are those of the manager that has the unit, whatever `User=` says.
    """

    def __init__(self, unit: str, is_user_manager: bool) -> None:
        self._known = {
            "%": "%", **_names(unit), **_of_host(), **(_of_own_manager() if is_user_manager else _OF_SYSTEM),
        }  # fmt: skip

    def expand(self, value: str) -> str:
        """The text with its specifiers replaced. Raises NotCarried for what only the running system knows."""

        def replaced(found: re.Match[str]) -> str:
            if found[1] not in self._known:
                raise NotCarried(
                    f"only systemd knows %{found[1]} of the running system", "write the value out"
                )
            return self._known[found[1]]

        return re.sub(r"%(.)", replaced, value)


def unescape(name: str) -> str:
    """An escaped unit name as the text it stands for: `\\x` gives bytes of UTF-8, not characters."""
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda found: bytes.fromhex(found[1].decode()),
        name.replace("-", "/").encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


def process_name(unit: str) -> str:
    """The name of a service as people write it: `a\\x20b.service` is called `a b`; its dashes stay."""
    stem = unit.removesuffix(".service")
    parts = re.split(r"((?:\\x[0-9a-f]{2})+)", stem)
    return "".join(unescape(part) if number % 2 else part for number, part in enumerate(parts))


def _names(unit: str) -> Mapping[str, str]:
    stem = unit.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    last = prefix.rpartition("-")[2]
    return {
        "n": unit, "N": stem, "p": prefix, "P": unescape(prefix), "i": instance, "I": unescape(instance),
        "j": last, "J": unescape(last), "f": "/" + unescape(instance or prefix).lstrip("/"),
    }  # fmt: skip


def _of_host() -> Mapping[str, str]:
    host = os.uname()
    return {
        "H": host.nodename, "l": host.nodename.partition(".")[0], "v": host.release,
        "a": _ARCHITECTURES.get(platform.machine(), platform.machine()), "T": "/tmp", "V": "/var/tmp",
    }  # fmt: skip


_OF_SYSTEM: Mapping[str, str] = {
    "h": "/root", "u": "root", "U": "0", "g": "root", "G": "0",
    "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc",
}  # fmt: skip


def _of_own_manager() -> Mapping[str, str]:
    user, group = os.getuid(), os.getgid()
    home = posixpath.expanduser("~")
    return {
        "h": home, "u": _user_name(user), "U": str(user), "g": _group_name(group), "G": str(group),
        "t": f"/run/user/{user}", "S": f"{home}/.local/state", "C": f"{home}/.cache",
        "L": f"{home}/.local/state/log", "E": f"{home}/.config",
    }  # fmt: skip


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
