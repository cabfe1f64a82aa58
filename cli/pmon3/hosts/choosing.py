"""Which hosts a command line means, by its own words, else by `PMON3_HOST`.

Theory of operation: `--host` and `--on` belong to no verb; they are taken out of the words here, wherever
they stand before `--`, and the rest goes the way of all command lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pmon3.host_variable import HOST
from pmon3.hosts.address import parse
from pmon3.hosts.hosts_file import RemoteHost, read
from pmon3_schema.errors import ErrorCode, PmonError

_FLAGS = ("--host", "--on")


def taken_out(words: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """The words without these flags, and each flag with its value. Raises PmonError where that is missing."""
    left: list[str] = []
    found: list[tuple[str, str]] = []
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if word == "--":
            left += [word, *rest]
        elif flag not in _FLAGS:
            left.append(word)
        elif equals:
            found.append((flag, value))
        else:
            try:
                found.append((flag, next(rest)))
            except StopIteration:
                example = "ssh://user@host" if flag == "--host" else "tier=web"
                why = f"cannot tell which host is meant: {flag} has no value"
                raise PmonError(ErrorCode.BAD_REQUEST, why, f"write {flag} {example}") from None
    return left, found


def chosen(flags: Iterable[tuple[str, str]], environment: Mapping[str, str]) -> list[RemoteHost]:
    """The hosts that are meant, each once, in the order of the words. Raises PmonError."""
    wanted = list(flags)
    if not wanted:
        named = environment.get(HOST, "")
        wanted = [("--host", name) for name in named.replace(",", " ").split()]
    known = read(environment) if any(flag == "--on" or "://" not in value for flag, value in wanted) else {}
    hosts: dict[str, RemoteHost] = {}
    for flag, value in wanted:
        found = _on(value, known) if flag == "--on" else [_named(value, known)]
        hosts.update((host.name, host) for host in found)
    return list(hosts.values())


def _named(text: str, known: Mapping[str, RemoteHost]) -> RemoteHost:
    if text in known:
        return known[text]
    if "://" not in text:
        names = f"there are {', '.join(known)}" if known else "there is none in the hosts file"
        why = f"cannot find host {text!r}: {names}"
        raise PmonError(ErrorCode.NOT_FOUND, why, "write ssh://user@host, or name it in the hosts file")
    address = parse(text)
    return RemoteHost(str(address).removeprefix("ssh://"), address)


def _on(text: str, known: Mapping[str, RemoteHost]) -> list[RemoteHost]:
    """`KEY=VALUE` of a label, or the name of a group."""
    key, equals, value = text.partition("=")
    if equals:
        found = [host for host in known.values() if host.labels.get(key) == value]
    else:
        found = [host for host in known.values() if text in host.groups]
    if not found:
        what = "label" if equals else "group"
        why = f"cannot find a host for --on {text}: none has that {what}"
        raise PmonError(ErrorCode.NOT_FOUND, why, "see the hosts file")
    return found
