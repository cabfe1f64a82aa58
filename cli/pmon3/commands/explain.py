"""`explain`: what a field of a manifest means. Works without pmond."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from pmon3 import options, output
from pmon3_schema.errors import ErrorCode, PmonError


def command(
    path: Annotated[
        str,
        typer.Argument(
            metavar="[FIELD]", help="Such as process.restart, process.restart.policy or manifest.variables."
        ),
    ] = "process",
    recursive: Annotated[
        bool, typer.Option("--recursive", help="The fields below the fields as well.")
    ] = False,
    shape: options.PlanOutput = options.PlanFormat.TABLE,
) -> None:
    """Say what a field of a manifest means.

    Its type, default and allowed values, what changing it costs, and since when there is one."""
    # Imported here: the model is heavy, and help needs none of it.
    from pmon3_schema.explain import explain

    try:
        found = explain(path)
    except KeyError as error:
        raise _unknown(path, str(error.args[0])) from None
    output.emit(found.to_json(), shape.value, lambda _: explanation_text(found, recursive))


def explanation_text(found: Any, recursive: bool = False) -> str:
    """One field as paragraphs; its fields as a list below."""
    rows = [("FIELD", found.path), ("TYPE", found.type)]
    if found.required:
        rows.append(("REQUIRED", "yes"))
    elif found.effect:
        rows.append(("DEFAULT", json.dumps(found.default, ensure_ascii=False)))
    if found.effect:
        rows.append(("EFFECT", f"{found.effect}: when it changes, {found.cost}"))
    rows.append(("SINCE", found.since))
    text = "".join(f"{head + ':':<10}{value}\n" for head, value in rows) + f"\n{found.description}\n"
    if found.fields:
        text += "\nFIELDS:\n" + "".join(_lines(found, 1, recursive))
    return text


def _lines(found: Any, depth: int, recursive: bool) -> list[str]:
    lines = []
    margin = "  " * depth
    names = [field.path.rsplit(".", 1)[-1] for field in found.fields]
    width = max(map(len, names), default=0)
    for name, field in zip(names, found.fields, strict=True):
        effect = f"  [{field.effect}]" if field.effect else ""
        lines.append(f"{margin}{name:<{width}} {field.type}{_default(field)}{effect}\n")
        lines.append(f"{margin}  {field.description}\n")
        if recursive and field.fields:
            lines += _lines(field, depth + 1, recursive)
    return lines


def _default(field: Any) -> str:
    """`` = 10s``; nothing where there is none, or it is that nothing is said."""
    if field.fields or field.default in (None, "", [], {}):
        return ""
    return f" = {json.dumps(field.default, ensure_ascii=False)}"


def _unknown(path: str, part: str) -> PmonError:
    from difflib import get_close_matches

    from pmon3_schema.explain import explain

    beside = {field.path.rsplit(".", 1)[-1]: field.path for field in explain("manifest").fields}
    if part in beside:
        return PmonError(
            ErrorCode.NOT_FOUND, f"cannot explain {path}: no process has it", f"did you mean {beside[part]}?"
        )
    names = [field.path.rsplit(".", 1)[-1] for field in explain().fields]
    close = get_close_matches(part, names, n=1)
    hint = f"did you mean {close[0]}?" if close else "pmon3 explain process, and explain manifest, list them"
    return PmonError(ErrorCode.NOT_FOUND, f"cannot explain {path}: there is no field {part!r}", hint)
