"""`pmon3 explain`: fields of processes, and what stands beside the processes."""

from __future__ import annotations

import json

import pytest
from tests.support.command_line import Run


def test_a_group_of_fields_shows_type_default_values_and_effect_of_each(run: Run) -> None:
    lines = run("explain", "process.restart").out.splitlines()
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if "[in place]" in line}
    assert found["policy"] == 'always | on-failure | never = "always"  [in place]'
    assert found["jitter"] == "number, 0 to 1 = 0.1  [in place]"
    assert found["no_restart_exit_codes"] == "list of whole number, 0 to 255  [in place]"


def test_one_field_says_what_its_change_costs_and_since_when_it_is_there(run: Run) -> None:
    said = run("explain", "process.restart.policy").out
    assert 'DEFAULT:  "always"' in said and "EFFECT:   in place: " in said and "SINCE:    0.1" in said


@pytest.mark.parametrize("path", ["manifest", "manifest.profiles", "manifest.use.variables"])
def test_what_stands_beside_the_processes_is_explained_too(run: Run, path: str) -> None:
    found = json.loads(run("explain", path, "-o", "json").out)
    assert found["path"] == path and found["type"] == "mapping" and found["description"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("process.restrt", "did you mean restart?"), ("variables", "did you mean manifest.variables?"),
        ("nope", "pmon3 explain process, and explain manifest, list them"),
        ("manifest.nope", "pmon3 explain process, and explain manifest, list them"),
    ],
)  # fmt: skip
def test_an_unknown_field_is_answered_with_the_way_to_the_known(run: Run, path: str, hint: str) -> None:
    ran = run("explain", path)
    assert (ran.code, ran.out) == (1, "") and f"({hint})" in ran.err
