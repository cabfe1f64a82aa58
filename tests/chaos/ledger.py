"""The independent checker: reads what the workers wrote, and their locks."""

from __future__ import annotations

import fcntl
from collections import defaultdict
from pathlib import Path


class Ledger:
    """The folder that the workers of one machine share. Each line is read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = 0
        self.doubles: list[str] = []
        """Workers that found another one of their name alive."""
        self.repeated: list[str] = []
        """Instances that were started twice."""
        self.endings: dict[tuple[str, int], set[int]] = defaultdict(set)
        """Exit codes by name and number, as the workers themselves announced them."""
        self.wrote: dict[int, int] = {}
        """How many lines the runs of a writer wrote that were asked to end."""
        self._lives: dict[str, int] = defaultdict(int)
        self._seen: set[tuple[str, int, int]] = set()
        self._position = 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ledger").touch()

    def read(self) -> None:
        """Take in what was added."""
        with (self.folder / "ledger").open("rb") as file:
            file.seek(self._position)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        for line in whole.decode().splitlines():
            self._take(*line.split())

    def _take(self, kind: str, name: str, number: str = "0", more: str = "") -> None:
        if kind == "declared":
            self._lives[name] += 1  # numbers begin again with a new process of that name
        elif kind == "double":
            self.doubles.append(f"{name}:{number}")
        elif kind == "wrote":
            self.wrote[int(number)] = int(more)
        elif kind == "ending":
            self.endings[name, int(number)].add(int(more))
        else:
            run = name, self._lives[name], int(number)
            if run in self._seen:
                self.repeated.append(f"{name}:{number}")
            self._seen.add(run)
            self.started += 1

    def numbers(self, name: str) -> set[int]:
        """Of the instances of this name that have started, since it was made last."""
        return {number for one, life, number in self._seen if (one, life) == (name, self._lives[name])}

    def declared(self, name: str) -> None:
        """A process of this name is made that did not exist before."""
        with (self.folder / "ledger").open("a") as file:
            file.write(f"declared {name}\n")

    def uuid(self) -> str:
        """The name of the state that started the workers; empty before the first of them."""
        path = self.folder / "state"
        return path.read_text() if path.exists() else ""

    def is_alive(self, name: str) -> bool:
        """Whether a worker of this name holds its lock now."""
        with (self.folder / f"{name}.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False
