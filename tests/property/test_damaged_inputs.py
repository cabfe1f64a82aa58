"""The law of `convert` for files that are not as they should be: a refusal, or a manifest that is valid.

Never an exception of ours, and never all the memory, whatever numbers are in it.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pmon3.converting import reading
from pmon3.converting.settings import CannotConvert
from pmon3.converting.writing import text_of
from pmon3_schema.manifest import ManifestFile, read

CASES = Path(__file__).parents[1] / "golden" / "converting"
FILES = [
    file for file in sorted(CASES.glob("*/**/*")) if file.is_file() and file.suffix not in (".sql", ".js")
]
"""Without JavaScript, which node would have to run."""
READ_AS = {
    "supervisord": "site/supervisord.conf", "systemd": "units", "circus": "farm/circus.ini",
    "procfile": "shop/Procfile",
}  # fmt: skip
"""Where one file leads to others, the one that is named."""
ODD = (
    "9" * 20, "9" * 12, "1000000",
    "-1", "1e999", "nan", "0x10", "1_000", "12:30:45", "null", "true", "~", "infinity",
    "0 0 31 2 *", "*-*-* 25:00", "%", "%%", "%(x)s", "%(process_num)0999999999d", "%i", "$",
    "$(circus.wid)", "${A:-${B}}",
    "{{", "}}", "&a", "*a", "&x [*x]", "<<", "[", "]", "{", "}", '"', "'", "\\", "\n", "\t", "\r\n", "=", ":",
    ";", "#", "@", "\0", "\x1b", "\u202e", "é", "\udcff", "- ", "? ", "| ", "> ", "!!binary x", "..", "/",
    "*", "[Service]", "[program:", "[Install]", "ExecStart=", "9" * 5000,
)  # fmt: skip


def damaged(text: str, drawn: random.Random) -> str:
    """The text with some of it gone, doubled, moved, or replaced by what means something somewhere."""
    for _ in range(drawn.choice((1, 1, 2, 4))):
        lines, at = text.split("\n"), drawn.randrange(len(text) + 1)
        line = drawn.randrange(len(lines))
        match drawn.randrange(6):
            case 0:
                text = text[:at] + drawn.choice(ODD) + text[at:]
            case 1:
                text = text[:at] + text[at + drawn.randrange(1, 20) :]
            case 2:
                text = "\n".join([*lines[:line], drawn.choice(lines), *lines[line:]])
            case 3:
                text = "\n".join(lines[:line] + lines[line + 1 :])
            case 4:
                other = drawn.randrange(len(text) + 1)
                text = text[:at] + text[other : other + drawn.randrange(200)] + text[at:]
            case _:
                mark = next((mark for mark in ("=", ": ") if mark in lines[line]), "")
                if mark:
                    lines[line] = lines[line].split(mark)[0] + mark + drawn.choice(ODD)
                text = "\n".join(lines)
    return text


def check(file: Path, drawn: random.Random, folder: Path) -> None:
    case = file.relative_to(CASES).parts[0]
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(CASES / case, place)
    target = place / file.relative_to(CASES / case)
    target.write_text(damaged(file.read_text("utf-8"), drawn), "utf-8", "surrogateescape")
    try:
        found = reading.convert([str(place / READ_AS.get(case, target.relative_to(place)))], b"", "")
    except CannotConvert as refused:
        assert str(refused)
        return
    text = text_of(found.manifest, "yaml")
    wrong = [one for one in read([ManifestFile("/m/m.yaml", text.encode())]).diagnostics if one.is_error]
    assert [one for one in wrong if one.code != "PM021"] == []  # a cycle of dependencies is told, and stays
    assert len(found.manifest["processes"]) <= 1000 * len(text.splitlines())
    assert all(loss.reason and loss.place.line >= 1 for loss in found.losses)


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CASES)))
@given(drawn=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused_or_read(file: Path, tmp_path: Path, drawn: random.Random) -> None:
    check(file, drawn, tmp_path)
