"""Words of other tools are answered with the word to use here, which there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import Run

from pmon3.tool_aliases import SAID_HERE
from pmon3.verbs import VERB_OF


@pytest.mark.parametrize("word", SAID_HERE)
def test_the_answer_is_a_command_and_the_word_is_none(word: str) -> None:
    assert word not in VERB_OF
    assert SAID_HERE[word].split()[0] in VERB_OF


def test_it_is_said(run: Run) -> None:
    ran = run("logs", "web")
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err
        == "pmon3: cannot run 'logs': there is no such command (did you mean log? pmon3 help lists all)\n"
    )


def test_every_word_is_in_the_documentation() -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "come-from-another-tool.md"
    rows = {
        cells[1].strip().strip("`"): cells[2].strip().strip("`")
        for line in page.read_text().splitlines()
        if len(cells := line.split("|")) > 3 and cells[1].strip().startswith("`")
    }
    assert {word: rows.get(word) for word in SAID_HERE} == SAID_HERE
