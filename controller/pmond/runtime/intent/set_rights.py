"""Who may do what to a set, and what one may be called by whom.

Theory of operation: a set is whose word is in force in it. `file:PATH` says that what is in force stands in
that file. So nobody makes such a set who could not write the file: else whoever looks at the set, or lets
pmond follow the file one day, takes another's word for what stands there.
"""

from __future__ import annotations

from pmon3_schema.characters import IS_UNSEEN, named
from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.model import CLI
from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.access.principal import Principal
from pmond.runtime.files.writable import may_write

_FILE = "file:"
_LONGEST = 4096
"""Bytes; that of a path (PATH_MAX)."""


def check_set(
    verb: str,
    name: str,
    uid: int,
    principal: Principal,
    authority: Authority,
    right: Right = Right.CONTROL_SET,
) -> None:
    """Raises PmonError `forbidden` unless the caller has that right over a set of `uid`."""
    if not authority.may(principal, right, uid):
        raise PmonError(
            ErrorCode.FORBIDDEN,
            f"cannot {verb} {name}: it belongs to somebody else",
            "choose another --set, or ask as root",
        )


def check_set_name(name: str, principal: Principal, authority: Authority) -> None:
    """Raises PmonError when the caller may not make a set of this name."""
    if name == CLI:
        raise _refused(ErrorCode.INVALID, name, "it is what processes without a set belong to")
    unseen = IS_UNSEEN.search(name)
    if unseen is not None and not name.startswith(_FILE):
        raise _refused(ErrorCode.INVALID, ascii(name), f"it has {named(unseen[0])}, which nobody sees")
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise _refused(ErrorCode.INVALID, f"{name[:40]}...", f"it has more than {_LONGEST} bytes")
    path = name.removeprefix(_FILE)
    if path == name or not path.startswith("/") or authority.is_owner(principal):
        return
    if not may_write(path, principal):
        raise _refused(ErrorCode.FORBIDDEN, name, f"{principal.user} may not write that file")


def _refused(code: ErrorCode, name: str, why: str) -> PmonError:
    return PmonError(code, f"cannot call a set {name}: {why}", "choose another --set NAME")
