"""What isolates a service, as far as a manifest has a `sandbox` for it."""

from __future__ import annotations

from pmon3.converting.drafts import Draft, is_declared
from pmon3.converting.settings import NotCarried, Section, Setting
from pmon3.converting.systemd_tables import TRUTH

_SYSTEM = {"yes": ["/usr", "/boot"], "full": ["/usr", "/boot", "/etc"], "strict": ["/"]}
"""Without /efi, which few hosts have: what is named in a `sandbox` has to exist."""
_HOMES = ["/home", "/root", "/run/user"]
_STRICT_WRITABLE = ["/dev", "/proc", "/sys"]


def carry_sandbox(draft: Draft, service: Section) -> None:
    """Paths that may not be written or seen, and capabilities."""
    read_only: list[str] = []
    sources: list[Setting] = []
    for setting in service.every("ReadOnlyPaths"):
        read_only += [path.lstrip("-+") for path in setting.value.split()]
        sources.append(setting)
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
    _capabilities(draft, service)


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


def _capabilities(draft: Draft, service: Section) -> None:
    """`sandbox.capabilities` is what a program has and may have: both settings have to say so."""
    bounding, ambient = service.every("CapabilityBoundingSet"), service.every("AmbientCapabilities")
    settings = [*bounding, *ambient]
    names = [name for setting in (ambient or bounding) for name in setting.value.split()]
    if not names:
        return
    if any(name.startswith("~") for name in names):
        for setting in settings:
            service.books.lose(setting, "a list of what is taken away cannot be said", "list what it needs")
        return
    if bounding and ambient and set(names) != {name for one in bounding for name in one.value.split()}:
        for setting in bounding:
            service.books.lose(
                setting, "a program has all the capabilities that it may have", "list the same in both"
            )
    draft.put_all("sandbox.capabilities", names, settings)
