"""Copies of a program in a file of another tool become one entry, where that means the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pmon3.converting import reading
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value

WEB = """
[program:web]
command=/bin/web --port=80%(process_num)02d
process_name=%(program_name)s_%(process_num)02d
numprocs=3
numprocs_start=5
stdout_logfile=/var/log/web_%(process_num)s.log
environment=N="%(process_num)s"
"""


def converted(folder: Path, name: str, written: Any) -> dict[str, ProcessSpec]:
    file = folder / name
    file.write_text(written if isinstance(written, str) else json.dumps(written))
    entries = reading.convert([str(file)], b"", "").manifest["processes"]
    return {entry["name"]: read_value(ProcessSpec, entry) for entry in entries}


def test_numbers_of_copies_are_those_of_replicas(tmp_path: Path) -> None:
    found = converted(tmp_path, "s.conf", WEB)
    assert list(found) == ["web"]
    web = found["web"]
    assert (web.replicas, web.args) == (3, ("--port=${REPLICA+8005}",))
    assert (web.log, web.env_vars["N"]) == ("/var/log/web_${REPLICA+5}.log", "${REPLICA+5}")


def test_what_differs_otherwise_stays_apart(tmp_path: Path) -> None:
    """Twelve numbers of two digits: no one text has them all."""
    apart = WEB.replace("numprocs=3", "numprocs=12").replace("numprocs_start=5\n", "")
    apart += "directory=/srv/%(process_num)02d\n"
    assert len(converted(tmp_path, "s.conf", apart)) == 12


def test_who_depends_on_a_service_depends_on_all_of_it(tmp_path: Path) -> None:
    services = {
        "api": {"command": "/bin/api", "deploy": {"replicas": 2}},
        "front": {"command": "/bin/front", "depends_on": ["api"]},
    }
    found = converted(tmp_path, "compose.json", {"services": services})
    assert found["api"].replicas == 2 and found["front"].needs == ("api",)
