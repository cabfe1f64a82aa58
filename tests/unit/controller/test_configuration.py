"""What the configuration means for starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmond.runtime.program.configuration import ordinary_oom_score


@pytest.mark.parametrize(
    ("own", "given"), [("-900\n", 0), ("0\n", None), ("300\n", None), ("", None)], ids=repr
)
def test_only_a_protected_pmond_gives_its_processes_another_score(
    tmp_path: Path, own: str, given: int | None
) -> None:
    """What is given back reaches the child: test_spawn.test_oom_score_is_given_back."""
    file = tmp_path / "oom_score_adj"
    file.write_text(own)
    assert ordinary_oom_score(str(file)) == given
    assert ordinary_oom_score(str(tmp_path / "none")) is None
