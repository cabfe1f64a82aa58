"""What changed, what it costs, and the hash of what a running process depends on."""

from __future__ import annotations

import pytest

from pmon3_schema.effect import Effect
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmon3_schema.revision import changes, mask, revision, strongest


def spec(**fields: object) -> ProcessSpec:
    return read_value(ProcessSpec, {"file": "/bin/a", "name": "a", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"args": ["x"]},
        {"env_vars": {"A": "1"}},
        {"user": "u"},
        {"cwd": "/"},
        {"umask": 0},
    ],
)
def test_what_needs_a_restart_changes_the_revision(fields: dict[str, object]) -> None:
    assert revision(spec(**fields)) != revision(spec())


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {"a": "b"}},
        {"groups": ["g"]},
        {"restart": {"delay": "5s"}},
        {"stop": {"timeout": 1}},
        {"args": []},
        {"limits": {"nofile": 5}},
        {"priority": 5},
    ],
)
def test_what_needs_none_or_says_the_default_does_not(fields: dict[str, object]) -> None:
    assert revision(spec(**fields)) == revision(spec())


def test_the_recipe_is_stable() -> None:
    assert revision(spec(args="-v")) == "h1:1e79613cc591e8290e1780e74c3898ba"
    assert revision(spec(), {"env_file": "1"}) != revision(spec())


def test_changes_name_leaves_and_their_effect() -> None:
    before = spec(args=["a", "b", "c"], env_vars={"A": "1", "B": "2"}, restart={"delay": 1})
    after = spec(args=["a", "x"], env_vars={"B": "3", "C/~": "4"}, restart={"delay": 2}, groups=["g"])
    found = {c.path: (c.before, c.after, c.effect) for c in changes(before, after)}
    assert found == {
        "/args/1": ("b", "x", Effect.RESTART),
        "/args/2": ("c", None, Effect.RESTART),
        "/env_vars/A": ("1", None, Effect.RESTART),
        "/env_vars/B": ("2", "3", Effect.RESTART),
        "/env_vars/C~1~0": (None, "4", Effect.RESTART),
        "/groups/0": (None, "g", Effect.NONE),
        "/restart/delay": (1.0, 2.0, Effect.IN_PLACE),
    }
    assert strongest(changes(before, after)) is Effect.RESTART
    assert changes(before, before) == []


def test_masking_hides_the_values_of_the_environment_and_keeps_the_change() -> None:
    change = changes(spec(env_vars={"A": "secret"}), spec(env_vars={"A": "other"}))[0]
    masked = mask(change).to_json()
    assert "secret" not in str(masked) and "other" not in str(masked)
    assert masked["before"] != masked["after"]
