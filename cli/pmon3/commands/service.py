"""`service`: pmond as a service of systemd, for the machine or for oneself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pmon3 import exit_codes, options, output, service_files
from pmon3.service_files import FileState, ServiceFile
from pmon3.service_manager import ServiceManager
from pmon3_schema.errors import ErrorCode, PmonError

SUMMARY = "pmond as a service of systemd."

group = typer.Typer(rich_markup_mode=None)

User = Annotated[bool, typer.Option("--user", help="Your own service instead of the machine's.")]
Root = Annotated[
    str,
    typer.Option("--root", metavar="FOLDER", help="Files below this folder; systemd itself is left alone."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, do nothing.")]


@group.command("install")
def install(
    user: User = False,
    root: Root = "/",
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Replace files that somebody changed; copies are kept.")
    ] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Only the files; start nothing.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Install pmond as a service and start it.

    Writes the unit and, for the machine, a logrotate file and a config.yml where there is none.
    Says each thing it does.
    """
    found = _files(user, root, dry_run)
    _refuse_changed(found, force, "install")
    manager = ServiceManager(user, dry_run)
    starts = not no_start and root == "/"
    if starts and not dry_run and not manager.runs():
        # Before anything is written: a configuration alone would make root's `up` the system's pmond.
        message = "cannot install the service: systemd does not run here"
        hint = "nothing was written; --no-start writes the files alone, pmon3 up starts a pmond without them"
        raise PmonError(ErrorCode.REFUSED, message, hint)
    for file in found:
        _install(file, dry_run)
    if service_files.is_fleeting(service_files.pmond()):
        output.note(f"{service_files.pmond()} is in a folder that is emptied: install pmon3 elsewhere")
    if not starts:
        return
    manager.do("daemon-reload")
    manager.do("enable", "--now", "pmond.service")
    if user:
        output.note("it ends when you log out, unless you run: loginctl enable-linger")


@group.command("uninstall")
def uninstall(
    user: User = False,
    root: Root = "/",
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Remove files that somebody changed; copies are kept.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Stop the service and remove its files; data and logs stay.

    So does a configuration that anybody has changed.
    """
    found = _files(user, root, dry_run)
    _refuse_changed(found, force, "uninstall")
    manager = ServiceManager(user, dry_run)
    systemd = root == "/" and manager.runs()
    if systemd and found[0].state() is not FileState.ABSENT:
        manager.do("disable", "--now", "pmond.service")
    for file in found:
        _remove(file, dry_run)
    if systemd:
        manager.do("daemon-reload")


@group.command("status")
def status(user: User = False, root: Root = "/", shape: options.Output = options.OutputFormat.TABLE) -> int:
    """Show which files are installed and whether the service runs.

    Exit code 1 when something is missing, or the service does not run.
    """
    manager = ServiceManager(user)
    files = [{"name": str(file.path), "state": file.state().value} for file in _found(user, root)]
    unit = (
        {}
        if root != "/"
        else {word: manager.ask(f"is-{word}", "pmond.service") for word in ("enabled", "active")}
    )
    answer: dict[str, Any] = {"name": "pmond.service", "files": files, **unit}
    output.emit(answer, shape.value, lambda _: _text(answer))
    there = (
        all(file["state"] != FileState.ABSENT for file in files) and unit.get("active", "active") == "active"
    )
    return exit_codes.DONE if there else exit_codes.NEGATIVE


def _text(answer: dict[str, Any]) -> str:
    lines = [f"{file['state']}: {file['name']}" for file in answer["files"]]
    lines += [f"{word}: {answer[word]}" for word in ("enabled", "active") if word in answer]
    return "".join(f"{line}\n" for line in lines)


def _found(user: bool, root: str) -> list[ServiceFile]:
    place = Path(options.absolute(root))
    return service_files.of_user(place, os.environ) if user else service_files.system(place, _logs(place))


def _logs(root: Path) -> str:
    """The folder of logs that the machine's configuration names: what is to be rotated."""
    # Imported here: `--user` does without reading a configuration, which takes pydantic.
    from pmon3_schema import settings

    config = root / service_files.SYSTEM_CONFIG.lstrip("/") / "config.yml"
    found, _ = settings.load(str(config), {})
    return found.logs.directory


def _files(user: bool, root: str, dry_run: bool) -> list[ServiceFile]:
    if not user and root == "/" and os.getuid() != 0 and not dry_run:
        message = "cannot change the machine's service: you are not root"
        raise PmonError(ErrorCode.FORBIDDEN, message, "use sudo, or --user for a service of your own")
    return _found(user, root)


def _refuse_changed(found: list[ServiceFile], force: bool, verb: str) -> None:
    changed = [str(file.path) for file in found if not file.kept and file.state() is FileState.CHANGED]
    if changed and not force:
        message = f"cannot {verb} the service: {', '.join(changed)} was changed by somebody"
        raise PmonError(ErrorCode.REFUSED, message, "--force does it all the same and keeps a copy")


def _install(file: ServiceFile, dry_run: bool) -> None:
    state = file.state()
    if state is FileState.OURS or (file.kept and state is not FileState.ABSENT):
        output.note(f"kept {file.path}: {'it is yours' if file.kept else 'it is up to date'}")
        return
    if not dry_run:
        _keep_copy(file, state)
        file.write()
    output.note(f"{'would write' if dry_run else 'wrote'} {file.path}")


def _remove(file: ServiceFile, dry_run: bool) -> None:
    state = file.state()
    if state is FileState.ABSENT:
        return
    if file.kept and state is not FileState.OURS:
        output.note(f"kept {file.path}: it is yours")
        return
    if not dry_run:
        _keep_copy(file, state)
        file.path.unlink()
    output.note(f"{'would remove' if dry_run else 'removed'} {file.path}")


def _keep_copy(file: ServiceFile, state: FileState) -> None:
    if state is FileState.CHANGED:
        copy = file.path.with_name(f"{file.path.name}.old")
        copy.write_bytes(file.path.read_bytes())
        output.note(f"kept a copy of {file.path} as {copy}")
