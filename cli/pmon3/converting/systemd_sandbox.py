"""What isolates a service, as far as a manifest has a `sandbox` for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pmon3.converting.drafts import Draft, is_declared
from pmon3.converting.settings import NotCarried, Section, Setting
from pmon3.converting.systemd_tables import TRUTH
from pmon3.converting.unit_values import split

_SYSTEM = {"yes": ["/usr", "/boot"], "full": ["/usr", "/boot", "/etc"], "strict": ["/"]}
"""Without /efi, which few hosts have: what is named in a `sandbox` has to exist."""
_HOMES = ["/home", "/root", "/run/user"]
_STRICT_WRITABLE = ["/dev", "/proc", "/sys"]
_PATHS = {"InaccessiblePaths": "sandbox.hidden", "ReadWritePaths": "sandbox.writable"}


def carry_sandbox(draft: Draft, service: Section, expand: Callable[[str], str], *, is_root: bool) -> None:
    """Paths that may not be written or seen, and capabilities; `expand` replaces specifiers."""
    for key, field in _PATHS.items():
        draft.put_all(field, *_paths(service, key, expand))
    read_only, sources = _paths(service, "ReadOnlyPaths", expand)
    system = service.take("ProtectSystem")
    if system is not None:
        word = "yes" if _says_yes(system) else system.value
        if word in _SYSTEM:
            read_only += _SYSTEM[word]
            sources.append(system)
            if word == "strict" and is_declared("sandbox"):
                draft.put("sandbox.writable", [*draft.get("sandbox.writable", []), *_STRICT_WRITABLE], system)
        elif not _says_no(system):
            service.books.lose(system, f"{system.value!r} is none of yes, full, strict")
    home = service.take("ProtectHome")
    if home is not None:
        _homes(draft, service, home, read_only, sources)
    draft.put_all("sandbox.read_only", read_only, sources)
    _capabilities(draft, service, is_root=is_root)


def _paths(service: Section, key: str, expand: Callable[[str], str]) -> tuple[list[str], list[Setting]]:
    """The paths of a key without their prefixes; those that need not be there are told, for here they have
    to."""
    paths, settings = [], service.every(key)
    for setting in settings:
        try:
            words = split(expand(setting.value))
        except NotCarried as why:
            service.books.lose(setting, why.reason, why.advice)
            continue
        paths += [word.lstrip("-+") for word in words]
        for word in words:
            if word.lstrip("+").startswith("-"):
                reason = "without it the process does not start here"
                service.books.lose(setting, reason, "create it, or leave it out", key=f"{key} {word}")
    return paths, list(settings)


def _says_yes(setting: Setting) -> bool:
    try:
        return TRUTH(setting.value)
    except NotCarried:
        return False


def _says_no(setting: Setting) -> bool:
    try:
        return not TRUTH(setting.value)
    except NotCarried:
        return False


def _homes(
    draft: Draft, service: Section, home: Setting, read_only: list[str], sources: list[Setting]
) -> None:
    if home.value == "read-only":
        read_only += _HOMES
        sources.append(home)
    elif _says_yes(home):
        draft.put("sandbox.hidden", [*draft.get("sandbox.hidden", []), *_HOMES], home)
    elif home.value == "tmpfs":
        service.books.lose(home, "nothing is laid over a folder", "see `sandbox.hidden`")


def _capabilities(draft: Draft, service: Section, *, is_root: bool) -> None:
    """`sandbox.capabilities` is what a program has, and all that it may ever have.

    Root has what the bounding set leaves; another user has what is ambient, of that set.
    """
    bounding, ambient = service.every("CapabilityBoundingSet"), service.every("AmbientCapabilities")
    settings = [*bounding, *ambient]
    if any("~" in setting.value for setting in settings):
        for setting in settings:
            service.books.lose(setting, "a list of what is taken away cannot be said", "list what it needs")
        return
    allowed, given = _names(bounding), _names(ambient)
    if is_root:
        for setting in ambient:
            service.books.lose(setting, "root has what it may have in any case", "remove it")
        if bounding:
            draft.put_list("sandbox.capabilities", allowed, bounding)
        return
    if bounding and set(allowed) - set(given):
        for setting in bounding:
            why = "what it may have it has: nothing that it executes gets more"
            service.books.lose(setting, why, "name in AmbientCapabilities what it needs")
    if settings:
        had = [name for name in given if name in allowed] if bounding else given
        draft.put_list("sandbox.capabilities", had, settings)


def _names(settings: Sequence[Setting]) -> list[str]:
    return list(dict.fromkeys(name for setting in settings for name in setting.value.split()))
