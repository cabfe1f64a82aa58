"""L4, the client's part: text of thousands of digits is too large a number, not a mistake of ours."""

from __future__ import annotations

import pytest
from tests.support.command_line import Run
from tests.support.fake_daemon import FakeDaemon

from pmon3_schema.manifest import ManifestFile, read

LONG = "9" * 5000

MANIFESTS = {
    "m.json": f'{{"processes": [{{"file": "/bin/true", "priority": {LONG}}}]}}',
    "m.toml": f'[[processes]]\nfile = "/bin/true"\npriority = {LONG}\n',
    "m.yaml": f"processes:\n- file: /bin/true\n  priority: {LONG}\n",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_in_a_manifest_it_is_told_with_its_place(name: str) -> None:
    (found,) = read([ManifestFile(f"/{name}", MANIFESTS[name].encode())]).diagnostics
    assert found.is_error and ("too large" in found.message or "whole number" in found.message)
    assert (found.line, found.column) == {"m.json": (1, 50), "m.toml": (3, 12), "m.yaml": (3, 13)}[name]


@pytest.mark.parametrize(
    "words",
    [
        ("rollback", "--to", LONG), ("events", "-n", LONG), ("history", "-n", LONG), ("topn", LONG),
        ("wait", "web", "--for", f"exited={LONG}"), ("wait", "web", "--timeout", LONG),
        ("hold", "web", "--for", f"{LONG}s"), ("exec", "/bin/true", "--stop-timeout", LONG),
        ("apply", "--if-version", LONG), ("explain", LONG), ("desc", LONG),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_nor_does_it_break_a_command(daemon: FakeDaemon, run: Run, words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert "mistake in pmon3" not in ran.err and "Error" not in ran.err.replace(LONG, "")
