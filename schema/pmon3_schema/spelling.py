"""The spellings of keys that the Go pmon3 accepted, turned into the one spelling of `ProcessSpec`.

TOML keys are CamelCase or snake_case in any case (`LogDir`, `log_dir`, `logdir`), for new fields as
for old ones. JSON keys of the old fields are accepted in any case. YAML keys are exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from pmon3_schema.fields import FieldStruct, inner_of
from pmon3_schema.formats.source import Path
from pmon3_schema.process import ProcessSpec

SEED_FIELDS = (
    "file", "user", "log", "log_dir", "args", "env_vars", "name", "dependencies", "groups", "no_auto_restart",
)  # fmt: skip
"""The fields of the Go pmon3, in the order in which it exports them."""

SEED_TEXT_KEYS = frozenset({"file", "user", "log", "log_dir", "args", "env_vars", "name"})
"""Fields that are text there, so that ``args: 8080`` in YAML is text here too."""

_YES_NO = {"yes": True, "on": True, "y": True, "no": False, "off": False, "n": False}


class Spelling:
    """One process with canonical keys, and how its keys are really written, for pointing at them."""

    def __init__(self, entry: Mapping[str, Any], format_name: str) -> None:
        self.written: dict[Path, str] = {}
        self.twice: list[tuple[Path, str]] = []
        """Keys given in two spellings: where, and the field that both mean."""
        self._format = format_name
        plain = dict(entry) if format_name == "yaml" else self._renamed(entry, ProcessSpec, ())
        flag = plain.get("no_auto_restart")
        if format_name == "yaml" and isinstance(flag, str) and flag.lower() in _YES_NO:
            plain["no_auto_restart"] = _YES_NO[flag.lower()]
        self.plain = plain
        """With the empty values, which in a profile's change take away what is there."""
        # An empty value means "not given", as in the Go pmon3.
        self.entry = {key: value for key, value in plain.items() if value is not None}

    def source_path(self, path: Path) -> Path:
        """The path as the file spells it."""
        if not self.written:
            return path
        return tuple(self.written.get(path[: i + 1], part) for i, part in enumerate(path))

    def _renamed(self, data: Mapping[str, Any], declared: type[FieldStruct], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in data.items():
            name = key
            if key not in declared.declared:
                name = _spellings(declared, self._format).get(key.lower(), key)
            if name in result:
                self.twice.append(((*path, key), name))
                continue
            if name != key:
                self.written[(*path, name)] = key
            inner = inner_of(declared, name)
            if inner is not None and isinstance(value, dict) and self._format == "toml":
                value = self._renamed(value, inner, (*path, name))
            result[name] = value
        return result


@cache
def _spellings(declared: type[FieldStruct], format_name: str) -> dict[str, str]:
    if format_name != "toml":
        return {name: name for name in SEED_FIELDS}
    return {spelt: name for name in declared.declared for spelt in (name, name.replace("_", ""))}
