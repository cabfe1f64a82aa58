"""Who could have put a thing where it is: root and one user, or somebody else too.

Theory of operation: whoever owns a folder, or may write to it, decides what a path through it leads
to. So the path is walked from the root folder, every link of it too, and each folder on the way must
belong to root or to the user and be closed to everybody else. Where everybody may add things but
only their owners may replace them (`/tmp`, the sticky bit), the thing itself must belong to them.
Nothing is opened; once the walk has found no stranger, none can come in between.
"""

from __future__ import annotations

import os
import posixpath
import stat

TYPE_CHECKING = False  # typing itself is too slow for programs that do little else
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_MOST_LINKS = 40
"""As many as Linux itself follows (path_resolution(7))."""


def stranger(path: str, uid: int, also: Iterable[int] = ()) -> str:
    """Why somebody else could decide what is at this absolute path; empty where nobody can.

    `also`: further user ids that are trusted. What does not exist yet is judged by the folders that do.
    """
    trusted = {0, uid, *also}
    pending, here, links = _parts(path), "/", 0
    try:
        while True:
            why, shared = judge_folder(os.lstat(here), here, trusted)
            if why or not pending:
                return why
            entry = posixpath.dirname(here) if pending[-1] == ".." else posixpath.join(here, pending[-1])
            pending.pop()
            status = os.lstat(entry)
            if shared and status.st_uid not in trusted:
                return belongs(entry, status.st_uid)
            if stat.S_ISDIR(status.st_mode):
                here = entry
            elif not stat.S_ISLNK(status.st_mode):
                return ""
            elif (links := links + 1) > _MOST_LINKS:
                return f"{entry} is a link that leads nowhere"
            else:
                target = os.readlink(entry)  # noqa: PTH115 - a path as text, as all here
                pending += _parts(target)
                here = "/" if target.startswith("/") else here
    except OSError:
        return ""  # nothing there, or closed to this caller: whoever opens it is told the same


def owner_name(uid: int) -> str:
    """A user as people know him: his name, or his number where he has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def _parts(path: str) -> list[str]:
    """The parts of a path, the first at the end."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def judge_folder(status: os.stat_result, path: str, trusted: Collection[int]) -> tuple[str, bool]:
    """Why a folder is in a stranger's hands, and whether everybody may add things to it."""
    shared = bool(status.st_mode & stat.S_IWOTH)
    if not trusts(status.st_uid, trusted):
        return belongs(path, status.st_uid), shared
    if shared and not status.st_mode & stat.S_ISVTX:
        return f"everybody may write to {path}", shared
    return "", shared


def trusts(uid: int, trusted: Collection[int]) -> bool:
    """Whether what belongs to this user was put there by one of the trusted, or by who made this machine."""
    return uid in trusted or _unmapped(uid)


def belongs(path: str, uid: int) -> str:
    """That it is this user's, in words."""
    return f"{path} belongs to {owner_name(uid)}"


def _unmapped(uid: int) -> bool:
    """Whether it stands for users outside of this user namespace, such as the host's root: who made
    the namespace has put their folders here (user_namespaces(7))."""
    try:
        with open("/proc/self/uid_map", "rb") as file:  # noqa: PTH123
            mapped = sum(int(line.split()[2]) for line in file)
        with open("/proc/sys/kernel/overflowuid", "rb") as file:  # noqa: PTH123
            return uid == int(file.read()) and mapped < 2**32 - 1
    except (OSError, ValueError, IndexError):
        return False
