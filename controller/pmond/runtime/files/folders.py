"""Folders that pmond needs: created with their mode and owner, never changed when they exist."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.settings import PermissionSettings
from pmon3_schema.trust import stranger


def owner_of(access: PermissionSettings, what: str) -> tuple[int, int] | None:
    """uid and gid that a section of the configuration names; None: nobody in particular.

    A group needs a user, as documented. Raises PmonError for names that do not exist.
    """
    if not access.user:
        return None
    try:
        user = pwd.getpwnam(access.user)
    except KeyError:
        raise _unknown(what, "user", access.user) from None
    return user.pw_uid, group_of(access.group, what) if access.group else user.pw_gid


def group_of(name: str, what: str) -> int:
    """The gid of a group. Raises PmonError when it does not exist."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise _unknown(what, "group", name) from None


def ensure_folder(path: str, mode: int, owner: tuple[int, int] | None) -> None:
    """Create a folder with its parents; one that exists is left as it is. Raises PmonError."""
    folder = Path(path)
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)  # mkdir's mode is cut by the umask
        if owner is not None:
            os.chown(folder, *owner)
    except OSError as error:
        raise PmonError(
            ErrorCode.INTERNAL, f"cannot create the folder {path}: {error.strerror}", "correct config.yml"
        ) from error


def refuse_strangers(path: str, owner: tuple[int, int] | None) -> None:
    """Raises PmonError `refused` where somebody else than root, pmond's user and the owner that is
    configured could put another thing at this path."""
    why = stranger(path, os.geteuid(), owner[:1] if owner else ())
    if why:
        hint = "name another folder: message_queue.directory in config.yml, or XDG_RUNTIME_DIR"
        raise PmonError(ErrorCode.REFUSED, f"cannot use the folder {path}: {why}", hint)


def _unknown(what: str, kind: str, name: str) -> PmonError:
    return PmonError(
        ErrorCode.INVALID,
        f"cannot use {what}.{kind} in config.yml: there is no {kind} {name}",
        f"create the {kind}",
    )
