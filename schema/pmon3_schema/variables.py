"""Variables of a manifest: `${NAME}` and `${NAME:-default}` in its values.

Theory of operation: a document opts in by declaring the variables it uses, each with a default or
with none (`null`: a value must be given). Without `variables:` nothing in it is replaced, so a
literal `$` of an older manifest stays what it is. Values come from the declaration, from the
profiles in use and from `use:`, never from the environment of whoever reads the manifest: two
readers of the same documents get the same processes. What was replaced is marked (`substituted_text`), so
that the model can take it for a number or a truth value where a field wants one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pmon3_schema.field_diagnostics import did_you_mean, type_name
from pmon3_schema.formats.source import Path
from pmon3_schema.path_diagnostics import NO_VALUE, PathDiagnostic
from pmon3_schema.replica_text import REFERENCE
from pmon3_schema.substituted_text import SubstitutedText

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?\Z", re.S)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LITERAL = "a literal `${` is written `$${`"

Values = Mapping[str, str | None]
"""By name; None: declared, and without a value."""
Report = Callable[[str, str, Path, str], None]
"""Takes the code, message, path and hint of a mistake."""


def declared(value: Any, path: Path, findings: list[PathDiagnostic]) -> dict[str, str | None]:
    """The variables of a mapping as text. What is wrong with them is added to the findings."""
    if not isinstance(value, dict):
        findings.append(
            PathDiagnostic("PM010", f"`{path[-1]}` must be a mapping, not {type_name(value)}", path)
        )
        return {}
    result: dict[str, str | None] = {}
    for name, content in value.items():
        if not _NAME.match(name):
            findings.append(
                PathDiagnostic("PM012", f"{name!r} is not the name of a variable", (*path, name), True)
            )
        elif isinstance(content, bool):
            result[name] = "true" if content else "false"
        elif content is None or isinstance(content, str | int):
            result[name] = None if content is None else str(content)
        else:
            message = f"the variable `{name}` must be text, not {type_name(content)}"
            findings.append(PathDiagnostic("PM010", message, (*path, name), hint="write it in quotes"))
    return result


def check_known(
    names: Iterable[str], known: Iterable[str], path: Path, findings: list[PathDiagnostic]
) -> None:
    """Each of the names is one of the known variables."""
    known = list(known)
    for name in names:
        if name not in known:
            message = f"no file declares the variable `{name}`"
            hint = did_you_mean(name, known) or "declare it in `variables` of the file that uses it"
            findings.append(PathDiagnostic(NO_VALUE, message, (*path, name), True, hint))


def substituted(value: Any, values: Values, report: Report, path: Path = ()) -> Any:
    """The value with every reference in its texts replaced; keys stay as they are."""
    if isinstance(value, str):
        return _replaced(value, values, report, path) if "${" in value else value
    if isinstance(value, dict):
        return {key: substituted(item, values, report, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [substituted(item, values, report, (*path, index)) for index, item in enumerate(value)]
    return value


def references_hint(value: Any) -> str:
    """What to do about a wrong value that is made of variables, or was meant to be; else nothing."""
    if not isinstance(value, str):
        return ""
    if isinstance(value, SubstitutedText):
        found = (_INSIDE.match(inside) for inside, _ in _REFERENCE.findall(value.written))
        names = " and ".join(dict.fromkeys(f"`{one[1]}`" for one in found if one))
        return f"give {names} another value: in `variables`, in a profile, or with --var" if names else ""
    return "declare the variable in `variables` of this file" if "${" in value else ""


def literal(value: Any) -> Any:
    """The value with its texts written so that nothing in them is replaced: the reverse of `substituted`."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def _replaced(text: str, values: Values, report: Report, path: Path) -> str:
    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "$${" if REFERENCE.match(text, found.start()) else "${"
        if "REPLICA" not in values and REFERENCE.match(found[0]):
            return found[0]  # known when its replicas are made
        inside = _INSIDE.match(found[1]) if found[2] else None
        if inside is None:
            report("PM012", f"`{found[0]}` is not ${{NAME}} or ${{NAME:-default}}", path, _LITERAL)
            return ""
        name, default = inside[1], inside[3]
        if name not in values:
            hint = did_you_mean(name, values) or f"declare it in `variables`; {_LITERAL}"
            report(NO_VALUE, f"the variable `{name}` is not declared", path, hint)
        elif values[name] or default is not None:
            return values[name] or default
        elif values[name] is None:
            report(NO_VALUE, f"the variable `{name}` has no value", path, f"give it with --var {name}=VALUE")
        return ""

    return SubstitutedText(_REFERENCE.sub(replacement, text), text)
