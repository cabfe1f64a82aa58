"""Which files a caller may read as the log of a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from pmond.core.model import Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.log_files import LogFile
from pmond.runtime.intent.process_rights import check_process
from pmond.runtime.views.publishing import Publisher


class ReadableLogs:
    """Decides by the caller, and by whose files the logs of a process are."""

    def __init__(self, publisher: Publisher, authority: Callable[[], Authority]) -> None:
        self._publisher = publisher
        self._authority = authority

    def of(self, one: Intent, peer: Principal) -> Sequence[LogFile]:
        """The log, and the separate file of standard error if there is one; none of somebody else's."""
        if not self._may_read(one, peer):
            return []
        logs = self._publisher.logs(one)
        if self._authority().is_owner(peer):
            return logs
        # pmond's rights show a caller no more than its own files, wherever they lead.
        owners = self._owners(one)
        return [replace(log, access=log.access.for_files_of(owners)) for log in logs]

    def checked(self, one: Intent, peer: Principal) -> Sequence[LogFile]:
        """The same for a caller who is told that they are somebody else's. Raises PmonError `forbidden`."""
        check_process("read the log of", Right.READ_SECRETS, one, peer, self._authority())
        return self.of(one, peer)

    def _may_read(self, one: Intent, peer: Principal) -> bool:
        authority = self._authority()
        return authority.may(peer, Right.READ_SECRETS, authority.uid_of(one.spec.user))

    def _owners(self, one: Intent) -> frozenset[int]:
        """Whose files the logs of a process are: its user's, or who owns the logs of pmond's own."""
        authority = self._authority()
        uid = authority.uid_of(one.spec.user)
        given = self._publisher.log_owner
        if uid is None:
            return frozenset()
        return frozenset({uid, given[0]} if given is not None and uid in {0, authority.daemon_uid} else {uid})
