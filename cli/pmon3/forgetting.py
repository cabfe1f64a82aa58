"""The end of what a pmond remembers: its state file and what lies beside it, once it has ended.

Theory of operation: pmond itself stops and deletes every process first, so nothing runs that nobody knows.
Then it ends, and its files are removed under the lock that keeps a second pmond out of the folder: one
that is started in this moment keeps what is its own. Logs, and the file that a user wrote, are not touched.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pmon3 import waiting
from pmon3.client import Client
from pmon3_schema.errors import ErrorCode, PmonError

_REMEMBERED = ("data.db", "data.db-wal", "data.db-shm", "starts", "keeper", "uuid", "socket")
_LOCK = "pmond.lock"


def check(folder: str) -> None:
    """Raises PmonError where the state could not be removed in the end."""
    if not os.access(folder, os.W_OK | os.X_OK):
        why = f"cannot delete what pmond remembers: its folder {folder} is not yours to change"
        raise PmonError(ErrorCode.FORBIDDEN, why, "nothing was stopped; leave out --delete")


def delete_all(client: Client, wait_options: waiting.WaitOptions) -> None:
    """Have every process stopped and deleted. Raises PmonError where one does not end."""
    targets = client.post("/v1/actions/drop", {"all": True})["targets"]
    waiting.wait(client, targets, waiting.DELETED, wait_options).check()


def remove(folder: str) -> None:
    """Remove the state of a pmond that has ended. Raises PmonError, OSError."""
    with (Path(folder) / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            why = f"cannot delete what is in {folder}: another pmond was started there meanwhile"
            raise PmonError(
                ErrorCode.CONFLICT, why, "its processes are deleted, its history is kept"
            ) from None
        for name in _REMEMBERED:
            (Path(folder) / name).unlink(missing_ok=True)
