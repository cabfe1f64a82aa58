"""Finding what a path leads to, across nothing that a stranger could have put there.

Theory of operation: whoever owns a folder, or may write to it, decides what a path through it leads to. So
a path is walked from the root folder, one name at a time and each from the descriptor of the folder before:
what was judged is what is gone on from. Every folder on the way has to belong to somebody who is trusted,
and every link too; where everybody may add things (`/tmp`, the sticky bit), so has the thing itself. Links of
the trusted are followed, as administrators make them (`/var/run`, `/home`). The last is not opened before
it was seen what it is: opening alone can mean something to a device, and wait for ever at a named pipe.

It is a part of programs that load nothing else (`rotate`, a launcher), so it needs built-in modules only.
"""

# Descriptors are the subject here; pathlib takes longer to import than those programs to run.
# ruff: noqa: PTH116

from __future__ import annotations

import errno
import os
import stat

from pmon3_schema.trust import belongs, judge_folder, trusts

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Collection

_MOST_LINKS = 40
"""As many as Linux itself follows (path_resolution(7))."""
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class StrangerError(PermissionError):
    """Somebody who is not trusted could decide what is there; `strerror` says who and where."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EPERM, why)


class GuardedPlace:
    """A name in an open folder, which nobody who is not trusted can make mean another thing.

    It is a context manager, which closes the folder.
    """

    def __init__(
        self, folder: int, name: bytes, status: os.stat_result | None, is_descriptor: bool = False
    ) -> None:
        self.folder = folder
        self.name = name
        self.status = status
        """Of what bears the name; None: nothing does."""
        self._is_descriptor = is_descriptor

    def is_regular(self) -> bool:
        """Whether a regular file is there."""
        return self.status is not None and stat.S_ISREG(self.status.st_mode)

    def open(self, flags: int, mode: int = 0o600) -> int:
        """A descriptor of what is there, or with O_CREAT and O_EXCL of a new file. Raises OSError."""
        follow = 0 if self._is_descriptor else os.O_NOFOLLOW
        return os.open(self.name, flags | follow | os.O_CLOEXEC | os.O_NOCTTY, mode, dir_fd=self.folder)

    def __enter__(self) -> GuardedPlace:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self.folder)


def find(path: str | bytes, trusted: Collection[int], folder_mode: int | None = None) -> GuardedPlace:
    """The place that an absolute path leads to, if the users in `trusted` alone can have made it so.

    `folder_mode`: folders that are missing are made, with this mode. Raises StrangerError, and OSError as
    opening would.
    """
    walk = _Walk(trusted, folder_mode)
    try:
        return walk.to_file(_names(os.fsencode(path)))
    except BaseException:
        os.close(walk.folder)
        raise


def open_folder(path: str | bytes, trusted: Collection[int]) -> int:
    """A descriptor of the folder at an absolute path, on the same terms. Raises StrangerError, OSError."""
    walk = _Walk(trusted, None)
    try:
        walk.to_folder(_names(os.fsencode(path)))
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.folder)
    finally:
        os.close(walk.folder)


class _Walk:
    """One walk, and the open folder that it has come to. What is still ahead is a list, its end first."""

    def __init__(self, trusted: Collection[int], folder_mode: int | None) -> None:
        self.folder = os.open("/", _LOOK | os.O_DIRECTORY)
        self._trusted = trusted
        self._folder_mode = folder_mode
        self._here = b""
        self._shared = False
        self._links = 0

    def to_folder(self, ahead: list[bytes]) -> None:
        """Go there, to the end."""
        self._judge(os.fstat(self.folder))
        while ahead:
            name = ahead.pop()
            self._enter(name, os.open(name, _LOOK, dir_fd=self.folder), ahead)

    def to_file(self, ahead: list[bytes]) -> GuardedPlace:
        """Go as far as the folder in which the last name is."""
        self._judge(os.fstat(self.folder))
        while ahead:
            name = ahead.pop()
            try:
                found = os.open(name, _LOOK, dir_fd=self.folder)
            except FileNotFoundError:
                if not ahead:
                    return GuardedPlace(self.folder, name, None)
                found = self._made(name)
            if ahead:
                self._enter(name, found, ahead)
            elif place := self._end(name, found, ahead):
                return place
        raise self._error(errno.EISDIR)

    def _end(self, name: bytes, found: int, ahead: list[bytes]) -> GuardedPlace | None:
        """The place of the last name; None when it is a link, and its text is ahead now."""
        try:
            status = self._allowed(name, found)
            if not stat.S_ISLNK(status.st_mode):
                return GuardedPlace(self.folder, name, status)
            if name.isdigit() and status.st_dev == os.stat("/proc").st_dev:
                # /proc/self/fd/1, where /dev/stdout leads: the kernel knows what it is, its text is no path.
                return GuardedPlace(self.folder, name, os.stat(name, dir_fd=self.folder), is_descriptor=True)
            self._follow(name, ahead)
            return None
        finally:
            os.close(found)

    def _enter(self, name: bytes, found: int, ahead: list[bytes]) -> None:
        """Go on to the folder that bears the name, or to where a link leads that does."""
        kept = found
        try:
            status = self._allowed(name, found)
            if stat.S_ISLNK(status.st_mode):
                self._follow(name, ahead)
                return
            if not stat.S_ISDIR(status.st_mode):
                raise self._error(errno.ENOTDIR, name)
            self._here = self._here.rpartition(b"/")[0] if name == b".." else self._here + b"/" + name
            kept, self.folder = self.folder, found
            self._judge(status)
        finally:
            os.close(kept)

    def _allowed(self, name: bytes, found: int) -> os.stat_result:
        """What was found, if nobody but the trusted can have put it there."""
        status = os.fstat(found)
        shared = self._shared and name != b".."
        if (shared or stat.S_ISLNK(status.st_mode)) and not trusts(status.st_uid, self._trusted):
            raise StrangerError(belongs(self._path(name), status.st_uid))
        return status

    def _follow(self, name: bytes, ahead: list[bytes]) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise self._error(errno.ELOOP, name)
        text = os.readlink(name, dir_fd=self.folder)
        ahead += _names(text)
        if text.startswith(b"/"):
            root = os.open("/", _LOOK | os.O_DIRECTORY)
            os.close(self.folder)
            self.folder, self._here = root, b""
            self._judge(os.fstat(root))

    def _judge(self, status: os.stat_result) -> None:
        """Whether the folder that the walk has come to is in nobody's hands who is not trusted."""
        path = os.fsdecode(self._here or b"/")
        why, self._shared = judge_folder(status, path, self._trusted)
        if why:
            raise StrangerError(why)

    def _made(self, name: bytes) -> int:
        """A folder that was missing on the way."""
        if self._folder_mode is None or name == b"..":
            raise self._error(errno.ENOENT, name)
        try:
            os.mkdir(name, self._folder_mode, dir_fd=self.folder)
            os.chmod(name, self._folder_mode, dir_fd=self.folder)  # whatever the umask
        except FileExistsError:
            pass  # somebody else has made it just now
        return os.open(name, _LOOK, dir_fd=self.folder)

    def _path(self, name: bytes = b"") -> str:
        return os.fsdecode(self._here + b"/" + name)

    def _error(self, number: int, name: bytes = b"") -> OSError:
        return OSError(number, os.strerror(number), self._path(name))


def _names(path: bytes) -> list[bytes]:
    """The parts of a path, the first at the end."""
    return [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
