"""The state folder of this pmond: held by a lock, opened as a whole and given back as a whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from pmon3_schema.settings import Data
from pmon3_schema.which_daemon import SOCKET_FILE
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.files.folders import ensure_folder, owner_of
from pmond.runtime.intent.stored_specs import with_users
from pmond.runtime.processes.exit_status_holder import ExitStatusHolder
from pmond.runtime.processes.seal import Seal
from pmond.runtime.state.log_times_file import LogTimesFile
from pmond.runtime.state.seal_key import keep_key
from pmond.runtime.state.starts import Starts
from pmond.runtime.state.state_file import FileAccess
from pmond.runtime.state.state_lock import keep_lock, lock_state
from pmond.runtime.state.store import Store

STATE_FILE = "data.db"


class StateFolder:
    """`snapshot` is what an earlier pmond left; `lock` the descriptor that keeps others out."""

    def __init__(self, data: Data, clock: Clock, journal: Journal, inherited_lock: int | None) -> None:
        """Raises StateInUse when another pmond has it, PmonError when it cannot be used."""
        self.path = data.directory
        owner = owner_of(data, "data")
        ensure_folder(self.path, data.directory_mode, owner)
        self.lock = keep_lock(self.path, inherited_lock) or lock_state(
            self.path, trusted_uid=owner[0] if owner else None
        )
        access = FileAccess(data.file_mode, owner)
        self.store = Store.open(Path(self.path) / STATE_FILE, clock=clock, access=access)
        self.snapshot = with_users(self.store.load(), os.geteuid(), clock.wall())
        self.store.keep_uuid()
        self.seal = Seal(keep_key(self.path))
        self.starts = Starts(self.path)
        self.log_times = LogTimesFile(self.path)
        self.exit_status_holder = ExitStatusHolder(self.path, journal)
        for notice in self.store.notices:
            journal.warn("state.notice", message=notice)

    def write_down(self, socket: str) -> None:
        """Say where the socket is, for commands that know this folder and no runtime folder."""
        file = Path(self.path) / SOCKET_FILE
        new = file.with_name(f".{SOCKET_FILE}.new")
        with suppress(OSError):  # such as of a full disk: most commands do without
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with open(descriptor, "wb") as written:  # noqa: PTH123
                written.write(os.fsencode(f"{socket}\n"))
            new.replace(file)

    def close(self, processes_left: bool) -> None:
        """Save and give back; a keeper stays for `processes_left`, to hold their exit statuses."""
        self.store.close()
        self.starts.close()
        if processes_left:
            self.exit_status_holder.close()
        else:
            self.exit_status_holder.end()
        os.close(self.lock)
