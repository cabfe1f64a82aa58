"""What a name of a user or group means: one reading of it, wherever one is written.

An account whose name is all digits is that account, and not the one that happens to have the number:
directories of schools and firms have such names. A number stands for itself only where no account has it for
its name.
"""

from __future__ import annotations

import grp
import os
import pwd

_LARGEST_ID = 2**32 - 2
"""The number above it means "leave as it is" to the kernel."""


def uid_of(user: str) -> int | None:
    """The uid of a user; None when there is no such user."""
    try:
        return pwd.getpwnam(user).pw_uid
    except (KeyError, ValueError):
        return _number(user)


def account_of(user: str) -> pwd.struct_passwd | None:
    """The entry of a user in the user database; None where it has none."""
    try:
        return pwd.getpwnam(user)
    except (KeyError, ValueError):
        number = _number(user)
    if number is None:
        return None
    try:
        return pwd.getpwuid(number)
    except KeyError:
        return None


def name_of(uid: int) -> str:
    """The name of a user that means this uid again; its number where none does."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    return name if uid_of(name) == uid else str(uid)


def gid_of(group: str) -> int | None:
    """The gid of a group; None when there is no such group."""
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        return _number(group)


def groups_of(uid: int) -> frozenset[int]:
    """The groups that the user database gives a user."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return frozenset()
    return frozenset(os.getgrouplist(account.pw_name, account.pw_gid))


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= _LARGEST_ID else None
