"""Manifests are read whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.runtime.files import documents
from pmond.runtime.files.documents import as_json, pack, printable, read_documents, unpack


def test_a_file_is_one_document_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "processes"
    file.write_bytes(b"\0\xff")
    assert read_documents(file) == [(str(file), b"\0\xff")]


def test_a_folder_is_its_manifests_sorted(tmp_path: Path) -> None:
    for name in ("b.toml", "a.yaml", "c.json", ".hidden.yaml", "notes.txt", "d.yaml~"):
        (tmp_path / name).write_text(name)
    (tmp_path / "z.yml").symlink_to("notes.txt")
    names = [Path(path).name for path, _ in read_documents(tmp_path)]
    assert names == ["a.yaml", "b.toml", "c.json", "z.yml"]
    assert read_documents(tmp_path)[3][1] == b"notes.txt"


def test_what_is_missing_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(PmonError, match=r"cannot read .*p\.yaml: No such file") as error:
        read_documents(tmp_path / "p.yaml")
    assert error.value.code == ErrorCode.NOT_FOUND


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("fine")
    (tmp_path / "b.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "c.yaml")
    (tmp_path / "d.yaml").mkdir()
    with (tmp_path / "e.yaml").open("wb") as file:
        file.truncate(16 * 1024**2 + 1)
    with pytest.raises(PmonError, match=r"\(and 3 more\)") as error:
        read_documents(tmp_path)
    assert [(Path(d["file"]).name, d["message"]) for d in error.value.diagnostics] == [
        ("b.yaml", "cannot read it: No such file or directory"),
        ("c.yaml", "cannot read it: it is not a regular file"),
        ("d.yaml", "cannot read it: it is not a regular file"),
        ("e.yaml", "cannot read it: it is larger than 16 MiB"),
    ]


def test_a_file_that_goes_on_changing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("first")
    original = documents.read_file
    tries: list[str] = []

    def read_while_written(path: str) -> object:
        answer = original(path)
        tries.append(path)
        file.write_text("x" * len(tries))
        return answer

    monkeypatch.setattr(documents, "read_file", read_while_written)
    with pytest.raises(PmonError, match="it changes while it is read"):
        read_documents(file)
    assert len(tries) > 1


def test_a_file_that_changed_once_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("first")
    original = documents.read_file
    tries: list[str] = []

    def read_while_replaced(path: str) -> object:
        answer = original(path)
        if not tries:
            (tmp_path / "new").write_text("later")
            (tmp_path / "new").rename(file)
        tries.append(path)
        return answer

    monkeypatch.setattr(documents, "read_file", read_while_replaced)
    assert read_documents(file) == [(str(file), b"later")]


def test_a_name_that_is_not_utf8_is_read_and_can_be_printed(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.yaml")
    (tmp_path / name).write_text("x")
    ((path, content),) = read_documents(tmp_path)
    assert content == b"x" and path.endswith(name)
    assert printable(path).endswith("\\xff.yaml")


@given(st.lists(st.tuples(st.text() | st.just("/w\udcffb"), st.binary())))
def test_packed_documents_come_back(given: list[tuple[str, bytes]]) -> None:
    assert unpack(pack(given)) == given


def test_documents_of_an_earlier_pmond_come_back() -> None:
    assert unpack(as_json([("/srv/web.yaml", b"\xff")])) == [("/srv/web.yaml", b"\xff")]


@given(st.binary(max_size=40))
def test_anything_else_is_not_unpacked(content: bytes) -> None:
    with suppress(ValueError, TypeError):
        assert pack(unpack(content))
