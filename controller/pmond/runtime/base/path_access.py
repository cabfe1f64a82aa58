"""With whose rights something is opened that a process names: its logs, the files of its environment.

Theory of operation: what is done for a process is done with the rights of its user, so that naming a file
gives nobody one that is not his. Where these do not suffice, pmond's own may be lent: for specs of somebody
who has them anyway, and at places that pmond itself has chosen. They go no way that a stranger could have
laid (`guarded`).

It is a part of programs that load nothing else (`rotate`, a launcher), so it needs built-in modules only,
and has a form of text that they are given.
"""

from __future__ import annotations

import os

from pmond.runtime.base.guarded import StrangerError

TYPE_CHECKING = False  # typing itself is too slow to import here; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from typing import TypeVar

    Done = TypeVar("Done")
    Uids = frozenset[int] | None


class Rights:
    """What the kernel asks for of a user."""

    __slots__ = ("gid", "groups", "uid")

    def __init__(self, uid: int, gid: int, groups: Iterable[int]) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = tuple(groups)

    def become(self) -> None:
        """Have them, for good: only for a program without threads."""
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)


class Way:
    """On what terms something is opened."""

    __slots__ = ("guard", "lent", "owners")

    def __init__(self, guard: Uids, owners: Uids, lent: bool) -> None:
        self.guard = guard
        """Who may have laid it; None: anybody."""
        self.owners = owners
        """Whose file may be at its end; None: anybody's."""
        self.lent = lent
        """It is gone with the rights of pmond for another user."""

    def allows(self, owner: int | None) -> bool:
        """Whether a file of this user may be at its end; None: there is no file."""
        return owner is not None and (self.owners is None or owner in self.owners)


class PathAccess:
    """Whose rights there are for one path."""

    __slots__ = ("guard", "lends", "owners", "strict", "user")

    def __init__(
        self,
        user: Rights | None = None,
        guard: Uids = None,
        owners: Uids = None,
        *,
        lends: bool = False,
        strict: bool = False,
    ) -> None:
        self.user = user
        """Whose process it is; None: that of pmond's own user."""
        self.guard = guard
        """Who may have laid the way that pmond's own rights go; None: anybody, they are nothing special."""
        self.owners = owners
        """Whose file these rights may be used for; None: anybody's."""
        self.lends = lends
        """They may be used where the user's do not suffice."""
        self.strict = strict
        """Nor may a stranger have laid the way that the user's rights go."""

    def perform(
        self, act: Callable[[Way], Done], acting_as: Callable[[Rights], AbstractContextManager[object]]
    ) -> Done:
        """What `act` answers, with the rights that it needs. Raises what it raises."""
        if self.user is None:
            return act(Way(self.guard, self.owners, lent=False))
        try:
            with acting_as(self.user):
                guard = (self.guard or frozenset()) | {self.user.uid} if self.strict else None
                return act(Way(guard, None, lent=False))
        except StrangerError:
            raise
        except PermissionError:
            if not self.lends:
                raise
        try:
            return act(Way(self.guard, self.owners, lent=True))
        except StrangerError as error:
            why = f"its user may not open it, and root does not where {error.strerror}"
            raise StrangerError(why) from None

    def for_files_of(self, owners: Uids) -> PathAccess:
        """The same for files of these users; None: of anybody."""
        return PathAccess(self.user, self.guard, owners, lends=self.lends, strict=self.strict)

    def encode(self) -> str:
        """As text without spaces."""
        user = self.user
        numbers = [[user.uid, user.gid, *user.groups] if user is not None else None, self.guard, self.owners]
        lists = ["-" if some is None else ",".join(map(str, some)) for some in numbers]
        return ":".join([*lists, str(int(self.lends)), str(int(self.strict))])

    @classmethod
    def decode(cls, text: str) -> PathAccess:
        """The inverse of `encode`."""
        user, guard, owners, lends, strict = text.split(":")
        uid, gid, *groups = _numbers(user) or (0, 0)
        return cls(
            None if user == "-" else Rights(uid, gid, groups),
            _uids(guard),
            _uids(owners),
            lends=lends == "1",
            strict=strict == "1",
        )


class ActingAs:
    """A context in which this whole program has the rights of a user: only for one without threads."""

    def __init__(self, rights: Rights) -> None:
        self._rights = rights
        self._own = os.geteuid(), os.getegid(), os.getgroups()

    def __enter__(self) -> None:
        os.setgroups(self._rights.groups)
        os.setegid(self._rights.gid)
        os.seteuid(self._rights.uid)

    def __exit__(self, *error: object) -> None:
        uid, gid, groups = self._own
        os.seteuid(uid)
        os.setegid(gid)
        os.setgroups(groups)


def _numbers(text: str) -> tuple[int, ...]:
    return () if text in ("", "-") else tuple(map(int, text.split(",")))


def _uids(text: str) -> Uids:
    return None if text == "-" else frozenset(_numbers(text))
