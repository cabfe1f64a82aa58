"""Fields as other tools call them, and words that YAML once read as true and false."""

from __future__ import annotations

import pytest

from pmon3_schema import foreign_fields
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec

THERE = [word for word, (field, _) in foreign_fields.known().items() if field in ProcessSpec.declared]


def found(fields: str) -> list[tuple[str, str]]:
    text = f"processes:\n- {{file: /bin/true, name: a, {fields}}}\n"
    return [(one.message, one.hint) for one in read([ManifestFile("/m.yaml", text.encode())]).diagnostics]


@pytest.mark.parametrize("word", THERE)
def test_a_word_of_another_tool_is_no_field_here_and_the_hint_names_one(word: str) -> None:
    names = {name.replace("_", "") for name in ProcessSpec.declared}
    assert word not in names
    ((_, hint),) = [one for one in found(f"{word}: 1") if "unknown field" in one[0]]
    assert hint == foreign_fields.known()[word][1]


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("depends_on: [b]", "write `dependencies`"),
        ("ExecStart: x", "write the program as `file`, its arguments as"),
        ("environment: {A: b}", "write `env_vars`"),
        ("max_restarts: 3", "write `restart: {max_failures: 3}`"),
        ("stopwaitsecs: 10", "write `stop: {timeout: 10s}`"),
        ("ports: ['80:80']", "it belongs to containers"),
        ("redirect_stderr: true", "both go to `log`, unless `stderr_log` is set"),
        ("fil: /x", "did you mean `file`?"),
        ("quux: 1", ""),
    ],
)
def test_what_is_said(field: str, hint: str) -> None:
    ((_, said),) = found(field)
    assert said.startswith(hint) and bool(said) == bool(hint)


def test_a_hint_comes_with_its_field() -> None:
    assert foreign_fields.hint("healthcheck", {"file"}) == ""
    assert foreign_fields.hint("healthcheck", {"ready"}) == "write `ready` and `live`"


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("no", "`autostart` must be true or false, not `no`", "write false"),
        ("'no'", "`autostart` must be true or false, not `no`", "write false"),
        ("On", "`autostart` must be true or false, not `On`", "write true"),
        ("'true'", "`autostart` must be true or false, not `true`", "write true, without quotes"),
        ("maybe", "`autostart` must be true or false, not text", "write true or false, without quotes"),
    ],
)
def test_yes_and_no(written: str, message: str, hint: str) -> None:
    assert found(f"autostart: {written}") == [(message, hint)]


def test_a_mask_is_bounded_in_octal() -> None:
    assert found("umask: '7027'")[0][0] == "`umask` must be at most 0777"
