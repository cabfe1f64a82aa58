"""Values that are made of variables become what their field wants, or a mistake that names the variable."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tomlkit

from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.manifest import ManifestFile, Reading, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.profiles import options_document

YAML = """\
variables:
  NICE:
  START: yes
processes:
  - name: web
    file: /bin/web
    priority: ${NICE:-5}
    autostart: "${START:-true}"
"""


def reading(field: dict[str, Any], suffix: str = "json", **variables: Any) -> Reading:
    data = {"variables": {"V": "", **variables}, "processes": [{"file": "/w", **field}]}
    text = tomlkit.dumps(data) if suffix == "toml" else json.dumps(data)
    return read([ManifestFile(f"/p.{suffix}", text.encode())])


def spec(field: dict[str, Any], suffix: str = "json", **variables: Any) -> ProcessSpec:
    found = reading(field, suffix, **variables)
    assert found.diagnostics == ()
    return found.entries[0].spec


def mistake(text: str, **chosen: str) -> Diagnostic:
    documents = [ManifestFile("/m/p.yaml", text.encode())]
    (found,) = read([*documents, options_document([], chosen)]).diagnostics
    return found


@pytest.mark.parametrize("suffix", ["yaml", "toml", "json"])
@pytest.mark.parametrize(
    ("field", "meaning"),
    [
        ({"priority": "${V:-5}"}, 5), ({"priority": "-${V:-5}"}, -5), ({"priority": " ${V:-5} "}, 5),
        ({"autostart": "${V:-false}"}, False), ({"no_auto_restart": "${V:-TRUE}"}, True),
        ({"prune": "${V:-false}"}, False), ({"prune": "${V:-confirm}"}, "confirm"),
        ({"on_change": "${V:-none}"}, "none"), ({"umask": "${V:-022}"}, 0o22),
        ({"description": "${V:-5}"}, "5"), ({"description": "${V:-true}"}, "true"),
        ({"args": "${V:-5}"}, ("5",)), ({"args": ["${V:-5}"]}, ("5",)), ({"groups": ["${V:-5}"]}, ("5",)),
        ({"env_vars": "A=${V:-5}"}, {"A": "5"}), ({"env_vars": {"A": "${V:-5}"}}, {"A": "5"}),
        ({"file": "${V:-/x}"}, "/x"), ({"user": "${V:-5}"}, "5"), ({"labels": {"a": "${V:-5}"}}, {"a": "5"}),
    ],
)  # fmt: skip
def test_a_reference_is_taken_for_what_the_field_wants(
    suffix: str, field: dict[str, Any], meaning: Any
) -> None:
    name = next(iter(field))
    value = getattr(spec(field, suffix), name)
    assert value == meaning
    assert type(value) is type(meaning)


def test_sections_take_them_too() -> None:
    declared = {
        "restart": {"delay": "${V:-2s}", "jitter": "${V:-0.5}", "max_failures": "${N}",
                    "success_exit_codes": [0, "${N}"], "policy": "${P}"},
        "limits": {"memory": "${V:-1KiB}", "nofile": "${N}"},
        "stop": {"signal": "${V:-HUP}", "kill_group": "${T}"},
    }  # fmt: skip
    found = spec(declared, N=7, T=False, P="always")
    assert (found.restart.delay, found.restart.jitter, found.restart.max_failures) == (2.0, 0.5, 7)
    assert (found.restart.success_exit_codes, found.restart.policy) == ((0, 7), "always")
    assert (found.limits.memory, found.limits.nofile) == (1024, 7)
    assert (found.stop.signal, found.stop.kill_group) == (1, False)


def test_a_mistake_is_at_the_reference_and_names_the_variable_and_what_it_wants() -> None:
    found = mistake(YAML, NICE="7")
    assert (found.line, found.column) == (8, 16)
    assert found.message == "`autostart` must be true or false, not what `${START:-true}` stands for"
    assert found.hint == "give `START` another value: in `variables`, in a profile, or with --var"


@pytest.mark.parametrize(
    "field",
    [
        "priority: ${NICE}", "priority: 1${NICE}", "autostart: ${NICE}", "stop: {timeout: '${NICE}'}",
        "limits: {memory: '${NICE}'}", "limits: {nofile: '${NICE}'}", "reload: {signal: '${NICE}'}",
        "umask: ${NICE}", "restart: {policy: '${NICE}'}", "prune: ${NICE}", "env_vars: A=1 ${NICE}",
        "restart: {success_exit_codes: ['${NICE}']}", "restart: {jitter: '${NICE}'}",
    ],
)  # fmt: skip
def test_a_mistake_says_nothing_of_a_value_that_may_be_secret(field: str) -> None:
    text = f"variables: {{NICE: }}\nprocesses:\n- file: /w\n  {field}\n"
    documents = [ManifestFile("/m/p.yaml", text.encode()), options_document([], {"NICE": "s3cr3t"})]
    found = read(documents).diagnostics
    assert found
    for one in found:
        assert one.line == 4
        assert "s3cr3t" not in str(one)
        assert "`NICE`" in one.hint


def test_a_number_out_of_bounds_names_the_variable_too() -> None:
    found = mistake(YAML.replace("yes", "true"), NICE="99")
    assert (found.line, found.message) == (7, "`priority` must be at most 19")
    assert "`NICE`" in found.hint


def test_who_forgot_to_declare_the_variables_is_told() -> None:
    found = mistake("processes:\n- file: /w\n  priority: ${NICE:-5}\n")
    assert (found.line, found.column, found.code) == (3, 13, "PM010")
    assert found.hint == "declare the variable in `variables` of this file"


def test_the_layer_of_a_profile_may_use_them() -> None:
    text = YAML.replace("yes", "true") + "profiles: {p: {processes: [{name: web, priority: '${NICE:-1}'}]}}\n"
    documents = [ManifestFile("/m/p.yaml", text.encode()), options_document(["p"], {})]
    assert [one.spec.priority for one in read(documents).entries] == [1]


@pytest.mark.parametrize(
    "field",
    [
        {"limits": {"memory": 1.5}}, {"limits": {"memory": "9" * 400 + "T"}}, {"limits": {"memory": 2**63}},
        {"stop": {"signal": 1.5}}, {"stop": {"signal": True}}, {"stop": {"timeout": 10**400}},
        {"stop": {"timeout": "-0"}}, {"umask": "0o0o22"}, {"umask": "٢"},
    ],
)  # fmt: skip
def test_odd_values_are_mistakes_and_no_more(field: dict[str, Any]) -> None:
    (found,) = reading(field).diagnostics
    assert found.code == "PM012"


@pytest.mark.parametrize(
    "field", [{"priority": "${A}"}, {"stop": {"timeout": "${A}"}}, {"file": "${A}"}, {"umask": "${NONE}"}]
)
def test_a_variable_without_a_value_is_one_mistake(field: dict[str, Any]) -> None:
    assert [one.code for one in reading({"name": "w", **field}, A=None).diagnostics] == ["PM024"]
