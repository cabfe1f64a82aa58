"""Who may do what to whose process or set: the one place that decides.

Theory of operation: a caller has a *role* towards this pmond, and it is the user of what runs as itself.
`RIGHTS` says for each role what it may do to what is its own and to what is others'; nothing else does. What
depends on more than that is said here too: as whom a program may run (`check_submit`), and that whoever
changes what a process does runs something as its user.

An owner is root, or the user that pmond runs as. When pmond is not root every process runs as pmond's user,
so nobody else is admitted whom config.yml does not name.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import cache

from msgspec import Struct

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.access import users
from pmond.runtime.access.principal import Principal


class Role(StrEnum):
    """What a caller is to this pmond, by what config.yml and the kernel say."""

    OWNER = "owner"
    """Root, or the user pmond runs as."""
    ADMINISTRATOR = "administrator"
    """Named in `access.administrators`, or a member of `message_queue.group`."""
    OPERATOR = "operator"
    """Named in `access.operators`."""
    VIEWER = "viewer"
    """Anybody else, unless `access.open` is false; or named in `access.viewers`."""
    STRANGER = "stranger"
    """Not admitted."""


class Right(StrEnum):
    """What can be done."""

    READ = "read"
    """See status, events, the graph and the like, without what may be secret."""
    READ_SECRETS = "read secrets"
    """See values of variables, arguments, and logs."""
    OPERATE = "operate"
    """Start, stop, restart, reset, hold."""
    DELETE = "delete"
    """Delete a process, or have its set let go of it."""
    CHANGE = "change"
    """Change what a process is: any field of it, its name, its owner; of a set, what it declares."""
    CONTROL_SET = "control set"
    """Suspend a set and resume it, take a process out of it; together with *change*, have it go back."""
    ADMINISTER = "administer"
    """What concerns pmond as a whole: init, groups, doctor, upgrade, shutdown."""


_EVERYTHING = frozenset(Right)
_OF_ONES_OWN = frozenset(
    {Right.READ, Right.READ_SECRETS, Right.OPERATE, Right.DELETE, Right.CHANGE, Right.CONTROL_SET}
)

RIGHTS: dict[Role, tuple[frozenset[Right], frozenset[Right]]] = {
    Role.OWNER: (_EVERYTHING, _EVERYTHING),
    Role.ADMINISTRATOR: (_EVERYTHING, _EVERYTHING - {Right.CHANGE}),
    Role.OPERATOR: (_OF_ONES_OWN, frozenset({Right.READ, Right.OPERATE})),
    Role.VIEWER: (_OF_ONES_OWN, frozenset({Right.READ})),
    Role.STRANGER: (frozenset(), frozenset()),
}
"""For each role its rights over what is its own, and over what is others'. docs/explanation/security.md
shows this table."""


class Quota(Struct, frozen=True):
    """Ceilings of each user without the rights of an administrator."""

    processes: int = 200
    """Processes that run as it, and sets that it made."""
    bytes: int = 1 << 20
    """Of all its specs, and of all documents of its sets."""
    requests: int = 32
    """Requests of it that are under way at once."""
    probes: int = 500
    """Tries a second that the probes of all its processes ask for."""


class AccessRules(Struct, frozen=True):
    """What config.yml says of access, names looked up."""

    viewers: frozenset[int] = frozenset()
    viewer_groups: frozenset[int] = frozenset()
    operators: frozenset[int] = frozenset()
    operator_groups: frozenset[int] = frozenset()
    administrators: frozenset[int] = frozenset()
    administrator_groups: frozenset[int] = frozenset()
    run_as: tuple[tuple[int, frozenset[int]], ...] = ()
    """For a uid the uids that it may have programs run as besides itself."""
    is_open: bool = True
    quota: Quota = Quota()


class Authority(Struct, frozen=True):
    """Decides for a pmond that runs as `daemon_uid`."""

    daemon_uid: int
    rules: AccessRules = AccessRules()

    def role(self, principal: Principal) -> Role:
        """What the caller is to this pmond: the greatest role that it has."""
        rules = self.rules
        if self.owns(principal.uid):
            return Role.OWNER
        if _is_named(principal, rules.administrators, rules.administrator_groups):
            return Role.ADMINISTRATOR
        if _is_named(principal, rules.operators, rules.operator_groups):
            return Role.OPERATOR
        if _is_named(principal, rules.viewers, rules.viewer_groups):
            return Role.VIEWER
        return Role.VIEWER if rules.is_open and self.daemon_uid == 0 else Role.STRANGER

    def is_owner(self, principal: Principal) -> bool:
        """Whether what it submits is trusted as pmond itself is."""
        return self.role(principal) is Role.OWNER

    def is_administrator(self, principal: Principal) -> bool:
        """Whether it may do to pmond what root may."""
        return self.role(principal) in (Role.OWNER, Role.ADMINISTRATOR)

    def owns(self, uid: int) -> bool:
        """Whether that user is an owner, so that what it wrote has pmond's own rights."""
        return uid in (0, self.daemon_uid)

    def may(self, principal: Principal, right: Right, whose: int | None) -> bool:
        """Whether the caller has a right over what belongs to the uid `whose`; None: to nobody known."""
        own, others = RIGHTS[self.role(principal)]
        if right in (own if whose == principal.uid else others):
            return True
        # Whoever may run programs as somebody may have his run something else.
        return right is Right.CHANGE and whose is not None and self.may_run_as(principal, whose)

    def over_users(self, principal: Principal, right: Right) -> Callable[[str], bool]:
        """The same of processes by the users that they run as, each of whom is looked up once."""

        @cache
        def may(user: str) -> bool:
            return self.may(principal, right, self.uid_of(user))

        return may

    def may_run_as(self, principal: Principal, uid: int | None) -> bool:
        """Whether the caller may have a program run as that user: as itself, or as whom root has named."""
        if uid is None or self.role(principal) is Role.STRANGER:
            return False
        if self.daemon_uid != 0:
            return self.is_owner(principal) and uid == self.daemon_uid
        if principal.uid in (0, uid):
            return True
        named = dict(self.rules.run_as).get(principal.uid, frozenset())
        return self.role(principal) is Role.ADMINISTRATOR and uid in named

    def uid_of(self, user: str) -> int | None:
        """The uid that the user of a spec means; "" is pmond's own."""
        return users.uid_of(user) if user else self.daemon_uid

    def default_user(self, principal: Principal | None) -> str:
        """The user of a spec that names none: who submits it; pmond's own where that is not root."""
        if principal is None or self.daemon_uid != 0:
            return users.name_of(self.daemon_uid)
        return principal.user

    def require(self, principal: Principal, right: Right) -> None:
        """Raises PmonError `forbidden` unless the caller has that right over what is nobody's own."""
        if not self.may(principal, right, None):
            raise PmonError(
                ErrorCode.FORBIDDEN,
                f"cannot do that: {principal.user} is no administrator of this pmond",
                "ask as root, or as an administrator",
            )

    def check_submit(self, principal: Principal, name: str, user: str) -> None:
        """Raises PmonError `forbidden` when the caller may not have `name` run as that user."""
        if self.may_run_as(principal, self.uid_of(user)):
            return
        own = self.default_user(principal)
        raise PmonError(
            ErrorCode.FORBIDDEN,
            f"cannot run {name} as {user or own}: {self._who_runs_what(principal, own)}",
            "leave out user, or ask root",
        )

    def _who_runs_what(self, principal: Principal, own: str) -> str:
        if self.daemon_uid != 0:
            return f"this pmond is that of {own}, and runs programs as {own} only"
        return f"{principal.user} may only run programs as {principal.user}"


def _is_named(principal: Principal, uids: frozenset[int], gids: frozenset[int]) -> bool:
    return principal.uid in uids or principal.gid in gids or bool(principal.groups & gids)
