"""Runs the console sessions of a page of documentation, and compares or records what they show.

Theory of operation: in a ```console block `$ ` begins a command, `> ` continues it, and the rest is
what it shows; `…` stands for any lines. All commands of a page run one after the other in one new
folder with the sample manifests, below a home of its own, so with a pmond of its own. What changes
from run to run (numbers, widths of tables, the port, the user) is the same to the comparison.

    python -m tests.support.console README.md    record anew what the commands of a page show
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
HOME, FOLDER = "/home/you", "/home/you/pmon3"
"""How the home and the folder of a session are called on the page."""
PORT = "18371"

_BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)
_LONGEST = 60


class ConsoleStep(Struct, frozen=True):
    """One command and what the page says that it shows."""

    command: str
    shown: tuple[str, ...]


class Session:
    """A folder and a home in which the commands of one page run."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "pmon3"
        shutil.copytree(ROOT / "manifests", self.folder / "manifests")
        shutil.copy2(ROOT / "Makefile", self.folder)
        self.port = _free_port()
        for file in (self.folder / "manifests").rglob("*.*"):
            file.write_text(file.read_text("utf-8").replace(PORT, self.port), "utf-8")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XDG_", "PMON3_", "CONFIGOR_", "MAKE", "PYTHON"))
        } | {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        }

    def run(self, command: str) -> str:
        """What a command shows, both streams in order, in the words of the page."""
        command = command.replace(PORT, self.port)
        # The environment of the page is the one that runs the tests, already set up.
        command = re.sub(r"^make ", f"make -s -o .venv/installed PYTHON={sys.executable} ", command)
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, timeout=_LONGEST,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        text = done.stdout.replace(str(self.folder), FOLDER).replace(str(self.home), HOME)
        return text.replace(self.port, PORT)

    def close(self) -> None:
        """End the pmond that the commands started, and its processes."""
        self.run("pmon3 down")


def steps(text: str) -> Iterator[ConsoleStep]:
    """The commands of a page, in order."""
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            lines = part.splitlines()
            command = [lines.pop(0)]
            while lines and lines[0].startswith("> "):
                command.append(lines.pop(0)[2:])
            yield ConsoleStep("\n".join(command), tuple(lines))


def missing(step: ConsoleStep, shown: str) -> str:
    """The first line of the page that the command does not show, where it should; else nothing."""
    rest = iter([_alike(line) for line in shown.splitlines()])
    for line in step.shown:
        if line.strip() and line.strip() != "…" and _alike(line) not in rest:
            return line
    return ""


def record(page: Path, home: Path) -> None:
    """Replace what the commands of a page show by what they show now."""
    session, text = Session(home), page.read_text("utf-8")
    try:
        page.write_text(_BLOCK.sub(lambda block: _recorded(session, block[0]), text), "utf-8")
    finally:
        session.close()


def _recorded(session: Session, block: str) -> str:
    out = []
    for step in steps(f"```console\n{block}```\n"):
        shown = session.run(step.command).rstrip("\n")
        written = step.command.replace("\n", "\n> ")
        out.append(f"$ {written}\n" + (shown + "\n" if shown else ""))
    return "".join(out)


def _alike(line: str) -> str:
    line = re.sub(r"\([+-]\d\d:\d\d\)", "(UTC)", line)
    line = re.sub(r"(?<=:\d\d)[+-]\d\d:\d\d", "+00:00", line)
    line = re.sub(r"[─╥╫╨]+", "─", re.sub(r"\d+(\.\d+)?", "0", line)).replace(getpass.getuser(), "root")
    return " ".join(line.replace("║", " ║ ").replace("│", " │ ").split())


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


if __name__ == "__main__":
    # Recorded where the page says it is, so that the widths of tables are right.
    place = Path(HOME)
    if place.exists():
        sys.exit(f"cannot record: {HOME} exists (move it away)")
    place.mkdir(parents=True)
    try:
        record(Path(sys.argv[1]), place)
    finally:
        shutil.rmtree(place)
