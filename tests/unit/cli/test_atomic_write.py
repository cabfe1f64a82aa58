"""Files of people are replaced as a whole, and only by what was made from what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmon3.atomic_write import replace_content
from pmon3_schema.errors import ErrorCode, PmonError


def test_a_link_and_the_mode_stay(tmp_path: Path) -> None:
    file, link = tmp_path / "p.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"old")
    file.chmod(0o640)
    link.symlink_to("p.yaml")
    replace_content(str(link), b"old", b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"theirs")
    with pytest.raises(PmonError, match="somebody else has changed it") as caught:
        replace_content(str(file), b"old", b"new")
    assert caught.value.code is ErrorCode.CONFLICT
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("p.yaml", b"theirs")]
