"""`pmond`: arguments, signals and exit codes.

Exit codes: 0 ended as asked; 1 cannot start (such as a folder that cannot be used);
2 usage, or a configuration that is not valid; 5 another pmond has the state folder. `--check`
answers with the same codes, and with 2 for a process config file that is not valid, with which
pmond itself would start and wait for a better one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import to_builtins

from pmon3_schema import paths
from pmon3_schema._version import __version__
from pmon3_schema.diagnostics import has_errors, render_text
from pmon3_schema.errors import PmonError
from pmon3_schema.settings import Settings
from pmon3_schema.settings import load as load_settings
from pmond.runtime.base import clock
from pmond.runtime.base.failpoints import FailPoint, reached
from pmond.runtime.base.journal import Journal
from pmond.runtime.base.threads import thread_pool
from pmond.runtime.observers.exit_on import FORWARDED
from pmond.runtime.program import checking, upgrade
from pmond.runtime.program.configuration import log_level
from pmond.runtime.program.daemon import Daemon, startup_problem
from pmond.runtime.program.handover import Handover, leave_settings, settings_in, taken_from, version_of
from pmond.runtime.state.state_lock import StateInUse
from pmond.runtime.state.store import Store
from pmond.runtime.state.store_error import StoreError

_READY_FD = "PMON3_READY_FD"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the daemon in the foreground until it is asked to end."""
    options = _parser().parse_args(arguments)
    ready = _take_ready_fd()
    handed = taken_from(os.environ)
    if handed.lock is not None:
        reached(FailPoint.UPGRADE_BEGUN)
    try:
        places = paths.places(os.environ, os.getuid(), own=options.own)
        version = version_of(places.config_file)
        known = settings_in(handed.settings, places.config_file)
        settings, text, valid = (known, "", True) if known is not None else _read_settings(places)
    except (paths.PathError, OSError) as error:
        return _fail(ready, str(error), 2)
    if text:
        sys.stderr.write(text)
    if not valid:
        return _fail(ready, f"cannot use {places.config_file}: it is not valid (see above)", 2)
    if options.settings:
        sys.stdout.write(json.dumps(to_builtins(settings), indent=2) + "\n")
        return 0
    if options.check:
        return _check(settings, places)
    if options.check_state:
        leave_settings(Path(options.check_state).parent, settings, version)
        return _check_state(options.check_state)
    return asyncio.run(_serve(settings, places, ready, options.exit_on, handed))


def _check(settings: Settings, places: paths.Places) -> int:
    """Say what is wrong beyond the configuration file itself."""
    try:
        diagnostics, text = checking.manifest(settings)
    except PmonError as error:
        sys.stderr.write(f"pmond: {error.message}\n")
        return 2
    sys.stderr.write(text)
    if has_errors(diagnostics):
        return 2
    found = list(checking.problems(settings, places))
    sys.stderr.writelines(f"pmond: {problem}\n" for problem in found)
    if not found:
        sys.stdout.write(f"{places.config_file}: valid\n")
    return 1 if found else 0


def _check_state(path: str) -> int:
    """The preflight of an upgrade: whether this code can go on with a copy of the state."""
    store = Store.open(path, clock=clock)
    store.load()
    problems = [*store.notices, *([store.degraded] if store.degraded else [])]
    store.close()
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pmond",
        description="Keep declared processes running.",
        epilog="PMON3_CONF names the config.yml.",
    )
    parser.add_argument("--check", action="store_true", help="check the configuration and end")
    parser.add_argument("--settings", action="store_true", help="print the settings in force as JSON and end")
    parser.add_argument("--own", action="store_true", help="use the caller's own folders, root's included")
    parser.add_argument(
        "--exit-on", metavar="NAME", default="", help="end when that process has, with its exit code"
    )
    parser.add_argument(upgrade.CHECK_STATE, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"pmond {__version__}")
    return parser


def _read_settings(places: paths.Places) -> tuple[Settings, str, bool]:
    """The settings, what is wrong with them as text, and whether they can be used."""
    settings, diagnostics = load_settings(places.config_file, os.environ, places)
    if not diagnostics:
        return settings, "", True
    source = Path(places.config_file)
    sources = {places.config_file: source.read_text("utf-8", "replace")} if source.exists() else {}
    return settings, render_text(diagnostics, sources), not has_errors(diagnostics)


async def _serve(
    settings: Settings, places: paths.Places, ready: int | None, exit_on: str, handed: Handover
) -> int:
    journal = Journal(level=log_level(settings, os.environ))
    daemon = Daemon(settings, places, os.environ, journal, handed, exit_on)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(thread_pool())
    loop.set_exception_handler(lambda _, context: _report(journal, context))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, daemon.interrupted)
    try:
        await daemon.start()
    except (PmonError, StoreError, paths.PathError, OSError) as error:
        return _fail(ready, startup_problem(error), 5 if isinstance(error, StateInUse) else 1)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    loop.add_signal_handler(signal.SIGUSR2, daemon.upgrade_asked)
    for number in FORWARDED:
        loop.add_signal_handler(number, daemon.forward, number)
    upgrade.release_signals()
    _say(ready, "ready\n")
    daemon.announce_ready()
    await daemon.run()
    await daemon.close()
    return daemon.exit_code


def _report(journal: Journal, context: dict[str, object]) -> None:
    error = context.get("exception")
    journal.error(
        "loop.failed",
        error if isinstance(error, BaseException) else None,
        message=str(context.get("message")),
    )


def _take_ready_fd() -> int | None:
    """The pipe on which whoever started us waits; children must not see it."""
    text = os.environ.pop(_READY_FD, "")
    return int(text) if text.isdecimal() else None


def _say(ready: int | None, text: str) -> None:
    if ready is None:
        return
    try:
        os.write(ready, text.encode("utf-8", "replace"))
        os.close(ready)
    except OSError:
        return  # nobody waits any more


def _fail(ready: int | None, why: str, code: int) -> int:
    sys.stderr.write(f"pmond: {why}\n")
    _say(ready, f"{why}\n")
    return code
