"""The hosts file: names of hosts with their addresses, labels and groups.

hosts:
  web1: {address: ssh://deploy@web1.example.org, labels: {tier: web}, groups: [front]}
  web2: ssh://deploy@web2.example.org
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pmon3.hosts.address import SshAddress, parse
from pmon3_schema.errors import ErrorCode, PmonError

VARIABLE = "PMON3_HOSTS"
_LARGEST = 1 << 20
_KEYS = {"address", "labels", "groups"}


class RemoteHost(NamedTuple):
    """One machine, by the name that it is shown under."""

    name: str
    address: SshAddress
    labels: Mapping[str, str] = {}
    groups: tuple[str, ...] = ()


def place(environment: Mapping[str, str]) -> Path:
    """Where the hosts file is."""
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE])
    folder = environment.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    return Path(folder) / "pmon3" / "hosts.yaml"


def read(environment: Mapping[str, str] = os.environ) -> dict[str, RemoteHost]:
    """All hosts by name; none where there is no such file. Raises PmonError `invalid` with the place."""
    path = place(environment)
    try:
        if path.stat().st_size > _LARGEST:
            raise _wrong(path, "it is larger than 1 MiB")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if environment.get(VARIABLE):
            raise _wrong(path, f"${VARIABLE} names it, and it is not there") from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(path, getattr(error, "strerror", None) or "it is not UTF-8 text") from None
    return _hosts(path, _parsed(path, text))


def _parsed(path: Path, text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise _wrong(path, getattr(error, "problem", None) or "it is not YAML", at) from None


def _hosts(path: Path, data: Any) -> dict[str, RemoteHost]:
    if not isinstance(data, dict) or set(data) != {"hosts"} or not isinstance(data["hosts"], dict):
        raise _wrong(path, "it has one key, `hosts`, with a host under each name")
    return {str(name): _host(path, str(name), entry) for name, entry in data["hosts"].items()}


def _host(path: Path, name: str, entry: Any) -> RemoteHost:
    if isinstance(entry, str):
        entry = {"address": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("address"), str):
        raise _wrong(path, f"host {name} has no address")
    if unknown := sorted(map(str, set(entry) - _KEYS)):
        raise _wrong(path, f"host {name} has {unknown[0]!r}, which is none of {', '.join(sorted(_KEYS))}")
    labels, groups = entry.get("labels") or {}, entry.get("groups") or []
    if not isinstance(labels, dict) or not isinstance(groups, list):
        raise _wrong(path, f"host {name}: labels are a map, groups a list")
    try:
        address = parse(entry["address"])
    except PmonError as error:
        raise _wrong(path, f"host {name}: {error.message}") from None
    known = {str(key): str(value) for key, value in labels.items()}
    return RemoteHost(name, address, known, tuple(map(str, groups)))


def _wrong(path: Path, why: str, at: str = "") -> PmonError:
    return PmonError(ErrorCode.INVALID, f"cannot read hosts of {path}{at}: {why}", "see pmon3 ls --help")
