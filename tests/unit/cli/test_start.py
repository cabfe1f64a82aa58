"""What a verb imports before it asks pmond: its start is a third of how long it takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"pydantic", "msgspec", "yaml", "ruamel", "tomlkit", "asyncio", "sqlite3", "psutil", "watchfiles"}
REPORT = "import sys; from pmon3.main import main; code = main(sys.argv[1:]); print(code, *sys.modules)"


@pytest.mark.parametrize(
    "words", [["ls"], ["stop", "web"], ["desc", "web"], ["apply"], ["diff"], ["plan"], ["wait", "web"]]
)
def test_no_verb_loads_what_only_pmond_needs(folders: Path, words: list[str]) -> None:
    manifest = folders / "app.yaml"
    manifest.write_text("processes: []\n")
    named = ["-f", str(manifest)] if words[0] in {"apply", "diff", "plan"} else []
    ran = subprocess.run([sys.executable, "-P", "-c", REPORT, *words, *named], capture_output=True, text=True)
    code, *modules = ran.stdout.split()
    assert code == "3", ran.stderr
    assert HEAVY & {module.partition(".")[0] for module in modules} == set()
