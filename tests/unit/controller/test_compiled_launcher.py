"""What the launcher in C is told, and when it is not used."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import pytest

import build_launcher
from pmond.runtime.processes import compiled_launcher
from pmond.runtime.processes.environment import User
from pmond.runtime.processes.launch import Launch, SpawnContext

SOURCE = Path(compiled_launcher.__file__).with_name("launcher.c")


def launch(**values: object) -> Launch:
    given = {
        "name": "x", "file": "/bin/true", "argv": ("true", "ä"), "cwd": "/srv", "environment": {"A": "1"},
        "stdout": "/x", "stderr": "/x", "context": SpawnContext({}, "/"), **values,
    }  # fmt: skip
    return Launch(**given)  # type: ignore[arg-type]


def test_orders_are_numbers_and_then_texts() -> None:
    user = User("mallory", 7, 8, (9, 10), "/home", "/bin/sh")
    orders = compiled_launcher.orders_of(
        launch(user=user, limits=((3, 64),), priority=-5, group="/sys/fs/cgroup/x", trusted=False)
    )
    head, rest = struct.unpack("=14q", orders[:112]), orders[112:]
    assert head == (1, 7, 8, 0, 0, 1, -5, 0, 0, 0, 2, 1, 2, 1)
    assert struct.unpack("=4q", rest[:32]) == (9, 10, 3, 64)
    texts = "/sys/fs/cgroup/x/cgroup.procs\0/srv\0/bin/true\0true\0ä\0A=1\0"
    assert rest[32:].decode() == texts


def test_no_text_can_say_more_than_it_is() -> None:
    for values in ({"argv": ("a\0b",)}, {"environment": {"A": "1\0B=2"}}, {"cwd": "/\0"}):
        with pytest.raises(ValueError):
            compiled_launcher.orders_of(launch(**values))


def test_one_for_another_machine_or_of_another_version_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_launcher, "path", lambda: str(tmp_path / "launcher"))
    program = compiled_launcher.program.__wrapped__
    assert program() is None
    content = bytearray(Path("/proc/self/exe").read_bytes()[:64])
    content[18] ^= 0xFF
    (tmp_path / "launcher").write_bytes(content)
    (tmp_path / "launcher").chmod(0o755)
    assert program() is None


def test_its_descriptor_is_none_that_a_child_gets_something_else_under() -> None:
    program = compiled_launcher.program.__wrapped__()
    if program is not None:
        number = int(program.rpartition("/")[2])
        os.close(number)
        assert number >= compiled_launcher.LOWEST


def test_without_a_compiler_there_is_none_and_that_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert not build_launcher.compile_launcher(SOURCE, tmp_path / "launcher")
    monkeypatch.setenv("CC", "false")
    assert not build_launcher.compile_launcher(SOURCE, tmp_path / "launcher")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_with_a_compiler_there_is_one(tmp_path: Path) -> None:
    assert build_launcher.compile_launcher(SOURCE, tmp_path / "launcher")
    assert compiled_launcher.program() is not None, "the one of this installation"
