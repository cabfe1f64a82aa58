"""Logs that somebody else has left behind under a name: moved aside, not taken over.

Theory of operation: in the folder of logs a file has the name of its process, and names become free. Whoever
used one first still owns the file: he would read what the next process of that name writes, and his own words
would stand in its log. So his file keeps what it has, as `NAME.log~USER`, and the next process begins a new
one. What rotation has made of it goes with it. Only pmond's own folder is treated so, in which nobody else
can put anything.
"""

# Paths are text here: there is a look before each start.
# ruff: noqa: PTH118, PTH208

from __future__ import annotations

import os
from collections.abc import Collection

from pmon3_schema.trust import owner_name
from pmond.runtime.files.archives import is_left_by_rotation


def set_aside(path: str, owners: Collection[int]) -> str:
    """Move the log at this path out of the way if it is none of these users'; its new path, or empty.

    Raises OSError.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ""
    if status.st_uid in owners:
        return ""
    folder, name = os.path.split(path)
    names = os.listdir(folder)
    other = _free_name(name, owner_name(status.st_uid), names)
    for file in names:
        if is_left_by_rotation(file, name) and os.lstat(os.path.join(folder, file)).st_uid not in owners:
            _rename(folder, file, file.replace(name, other, 1))
    _rename(folder, name, other)
    return os.path.join(folder, other)


def _free_name(name: str, user: str, names: Collection[str]) -> str:
    other, number = f"{name}~{user}", 1
    while other in names:
        number += 1
        other = f"{name}~{user}~{number}"
    return other


def _rename(folder: str, name: str, other: str) -> None:
    os.rename(os.path.join(folder, name), os.path.join(folder, other))  # noqa: PTH104
