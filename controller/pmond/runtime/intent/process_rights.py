"""Who may do what to a process, and what a spec is once somebody has submitted it.

Theory of operation: a `Submission` is the only way for a spec into what is declared, whatever door it came
through: it names the user that it runs as from then on, and is judged as a whole, also where only one field
of it was changed. Everything else asks the authority about the user of the process.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.process import ProcessSpec
from pmond.core.model import Intent
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.processes.ceilings import exceeded


class Submission:
    """What one caller (None: pmond itself) submits at once; each user is looked up once for all of it."""

    def __init__(self, principal: Principal | None, authority: Authority) -> None:
        self._principal = principal
        self._authority = authority
        self._default = authority.default_user(principal)
        self._allowed: set[str] = set()

    def completed(self, spec: ProcessSpec, *, may_end_pmond: bool = False) -> ProcessSpec:
        """The spec with its user filled in, checked."""
        spec = spec if spec.user else replace(spec, user=self._default)
        self.check(spec, may_end_pmond=may_end_pmond)
        return spec

    def check(self, spec: ProcessSpec, *, may_end_pmond: bool = False) -> None:
        """Raises PmonError unless the caller may choose all of it.

        `may_end_pmond`: it says so already, by somebody's word who may.
        """
        if spec.user not in self._allowed:
            self._check_user(spec)
        if self._principal is not None and not self._authority.is_owner(self._principal):
            _check_untrusted(spec, self._principal, may_end_pmond)

    def _check_user(self, spec: ProcessSpec) -> None:
        assert spec.user, "it was completed"
        if self._authority.uid_of(spec.user) is None:
            why = f"cannot take {spec.name}: there is no user {spec.user}"
            raise PmonError(ErrorCode.INVALID, why, "create it, or correct user")
        if self._principal is not None:
            self._authority.check_submit(self._principal, spec.name, spec.user)
        self._allowed.add(spec.user)


def _check_untrusted(spec: ProcessSpec, principal: Principal, may_end_pmond: bool) -> None:
    if spec.exit_on_end and not may_end_pmond:
        why = f"cannot have pmond end with {spec.name}: it is not the pmond of {principal.user}"
        raise PmonError(ErrorCode.FORBIDDEN, why, "leave out exit_on_end, or ask root")
    why = exceeded(spec, principal)
    if why:
        raise PmonError(ErrorCode.REFUSED, f"cannot take {spec.name}: {why}", "leave it out, or ask root")


def check_process(verb: str, right: Right, one: Intent, principal: Principal, authority: Authority) -> None:
    """Raises PmonError `forbidden` unless the caller has that right over a process."""
    check_processes(verb, right, (one,), principal, authority)


def check_processes(
    verb: str, right: Right, chosen: Iterable[Intent], principal: Principal, authority: Authority
) -> None:
    """The same of many."""
    may = authority.over_users(principal, right)
    for one in chosen:
        if not may(one.spec.user):
            why = f"cannot {verb} {one.name}: it runs as {one.spec.user or 'the user of pmond'}"
            raise PmonError(ErrorCode.FORBIDDEN, why, "ask as that user, or as root")
