"""What config.yml says of access, looked up in the databases of users and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pmon3_schema.settings import AccessSettings
from pmond.runtime.access import users
from pmond.runtime.access.authority import AccessRules, Quota

Warn = Callable[[str], None]


def rules_of(settings: AccessSettings, control_group: str, warn: Warn) -> AccessRules:
    """The rules in force. A name that means nobody gives nobody anything; `warn` is told of it."""
    viewers, viewer_groups = _named(settings.viewers, warn)
    operators, operator_groups = _named(settings.operators, warn)
    administrators, administrator_groups = _named(settings.administrators, warn)
    if control_group:
        _, groups = _named([f"@{control_group}"], warn)
        administrator_groups |= groups
    run_as = tuple(
        (uid, _named(others, warn)[0])
        for user, others in settings.run_as.items()
        for uid in _named([user], warn)[0]
    )
    quota = settings.quota
    return AccessRules(
        viewers=viewers,
        viewer_groups=viewer_groups,
        operators=operators,
        operator_groups=operator_groups,
        administrators=administrators,
        administrator_groups=administrator_groups,
        run_as=run_as,
        is_open=settings.open,
        quota=Quota(quota.processes, quota.bytes, quota.requests, quota.probes),
    )


def _named(names: Iterable[str], warn: Warn) -> tuple[frozenset[int], frozenset[int]]:
    """The uids and the gids; a group is written with an @ before it."""
    uids: set[int] = set()
    gids: set[int] = set()
    for name in names:
        number = users.gid_of(name[1:]) if name.startswith("@") else users.uid_of(name)
        if number is None:
            kind = "group" if name.startswith("@") else "user"
            warn(f"access in config.yml names {name}, but there is no such {kind}")
        else:
            (gids if name.startswith("@") else uids).add(number)
    return frozenset(uids), frozenset(gids)
