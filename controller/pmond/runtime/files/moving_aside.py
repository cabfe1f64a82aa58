"""What somebody else has put where a thing of pmond's belongs, out of the way and not followed.

Theory of operation: where everybody may add things (the sticky bit), anybody can be first at a name. Its
folder's owner and root may rename what is there, whatever it is, without looking into it. Nothing is deleted:
what looks like somebody's mistake may be one.
"""

# ruff: noqa: PTH104 - paths as text, as all here

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Collection

from pmon3_schema.trust import stranger, trusts


def move_aside(path: str, trusted: Collection[int]) -> str:
    """Rename a thing that belongs to none of these users; its new path, empty where there is no such thing.

    Raises OSError.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ""
    if trusts(status.st_uid, trusted):
        return ""
    aside = f"{path}.aside-{secrets.token_hex(4)}"
    os.rename(path, aside)
    return aside


def move_folder_aside(path: str, trusted: Collection[int]) -> str:
    """The same of what stands for a folder of pmond's, if anybody may have put it there.

    Anywhere else whoever owns the folder around it has, and may have meant it.
    """
    around = os.path.dirname(path)  # noqa: PTH120
    try:
        is_shared = os.lstat(around).st_mode & (stat.S_ISVTX | stat.S_IWOTH) == stat.S_ISVTX | stat.S_IWOTH
    except OSError:
        return ""  # it is to be made, or said that it cannot be
    if not is_shared or stranger(around, os.geteuid(), trusted):
        return ""
    return move_aside(path, trusted)
