"""Whether somebody may write a file, by the permission bits on the way to it.

Theory of operation: the way is walked as he would walk it, link by link, and ends where he could not go on.
So the answer tells him nothing that he could not find out himself. Access control lists are not asked.
"""

# ruff: noqa: PTH115, PTH118 - names as the kernel takes them

from __future__ import annotations

import os
import stat
from collections import deque

from pmond.runtime.access.principal import Principal

_MOST_LINKS = 40
"""As many as the kernel follows (path_resolution(7))."""
_SEARCH, _WRITE = 0o1, 0o2


def may_write(path: str, principal: Principal) -> bool:
    """Whether the caller may write the file, or make one there."""
    folder, parts, links = "/", deque(filter(None, path.split("/"))), 0
    try:
        while parts:
            above = os.lstat(folder)
            if not (stat.S_ISDIR(above.st_mode) and _allows(above, principal, _SEARCH)):
                return False
            child = os.path.join(folder, parts.popleft())
            try:
                status = os.lstat(child)
            except FileNotFoundError:
                return not parts and _allows(above, principal, _WRITE)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                target = os.readlink(child)
                folder = "/" if target.startswith("/") else folder
                parts.extendleft(reversed([part for part in target.split("/") if part]))
            elif not parts:
                return _allows(status, principal, _WRITE) or _may_exchange(status, above, principal)
            else:
                folder = child
            if links > _MOST_LINKS:
                return False
    except OSError:
        return False
    return False


def _may_exchange(status: os.stat_result, above: os.stat_result, principal: Principal) -> bool:
    """Whether he may put another file in its place."""
    sticky = bool(above.st_mode & stat.S_ISVTX) and principal.uid not in (status.st_uid, above.st_uid)
    return status.st_uid == principal.uid or (_allows(above, principal, _WRITE) and not sticky)


def _allows(status: os.stat_result, principal: Principal, right: int) -> bool:
    if principal.uid == 0:
        return True
    if status.st_uid == principal.uid:
        return bool(status.st_mode & right << 6)
    if principal.is_in(status.st_gid):
        return bool(status.st_mode & right << 3)
    return bool(status.st_mode & right)
