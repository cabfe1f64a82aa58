"""`export --to`: what is in force, written for another tool, and what that tool cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pmon3 import atomic_write, exit_codes, output
from pmon3.client import Client, Query, path_segment
from pmon3.export_targets import Handed, hand_over
from pmon3.export_targets.leaving import Leaving
from pmon3.exporting import spec_of
from pmon3_schema.errors import ErrorCode, PmonError


def export_to(client: Client, target: str, query: Query, into: str | None, strict: bool) -> int:
    """Print one file, or write all of them into a folder; gives the exit code. Raises PmonError, OSError."""
    entries = client.get("/v1/export", query)["processes"]
    if not entries:
        hint = "declare one, or name others"
        raise PmonError(ErrorCode.NOT_FOUND, "cannot export: there is no process", hint)
    specs = [spec_of(entry) for entry in entries]
    handed = hand_over([Leaving(spec) for spec in specs], target)
    if handed.losses:  # only now: asking where things are declared takes a request for each process
        handed = hand_over([Leaving(spec, _places(client, spec.name)) for spec in specs], target)
    printed = handed.files.keys() - handed.beside
    if into is None and len(printed) > 1 and not strict:
        why = f"cannot print {len(printed)} files one after the other"
        raise PmonError(ErrorCode.BAD_REQUEST, why, "name a folder with --into FOLDER")
    return _delivered(handed, into, strict)


def _delivered(handed: Handed, into: str | None, strict: bool) -> int:
    for loss in dict.fromkeys(handed.losses):
        output.note(loss)
    if strict and handed.losses:
        return exit_codes.NEGATIVE
    if into is None:
        for name, text in handed.files.items():
            if name not in handed.beside:
                output.write(text)
        return exit_codes.DONE
    folder = Path(into)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in handed.files.items():
        path = folder / name
        before = path.read_bytes() if path.exists() else b""
        if before != text.encode():
            path.touch(mode=0o600)  # it may have secrets in it
            atomic_write.replace_content(str(path), before, text.encode())
        output.note(f"wrote {path}")
    return exit_codes.DONE


def _places(client: Client, name: str) -> Mapping[str, str]:
    """File and line of the fields that a manifest declares."""
    origins: dict[str, str] = client.get(f"/v1/processes/{path_segment(name)}").get("origins", {})
    return origins
