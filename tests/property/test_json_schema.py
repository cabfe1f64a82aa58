"""The JSON Schema and the model agree, in both directions, but for what `UNSAID` lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.test_schema import MANIFESTS

from pmon3_schema.formats import format_of
from pmon3_schema.formats.export import plain
from pmon3_schema.jsonschema import DRAFTS, manifest_schema
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value
from pmon3_schema.scalars import parse_duration

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "schema"


def ecma_pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """The end of the text is its end in ECMA-262; in Python `$` is also before a last line feed."""
    if isinstance(instance, str) and not re.search(
        pattern.replace("$", r"\Z").replace(r"\\Z", r"\$"), instance
    ):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def checker(draft: str) -> Any:
    schema = manifest_schema(draft)
    validator: Any = jsonschema.validators
    return validator.extend(validator.validator_for(schema), {"pattern": ecma_pattern})(schema)


CHECKERS = {draft: checker(draft) for draft in DRAFTS}


def accepts(draft: str, data: Any) -> bool:
    return bool(CHECKERS[draft].is_valid(data))


def model_accepts(data: Any) -> bool:
    """Whether it is a manifest in one of the formats: JSON is YAML too, and TOML has no null."""
    text = json.dumps(data)
    documents = [ManifestFile("/p.json", text.encode()), ManifestFile("/p.yaml", text.encode())]
    if "null" not in text:
        documents.append(ManifestFile("/p.toml", tomlkit.dumps(data).encode()))
    return any(read([document]).ok for document in documents)


def agree(data: Any) -> bool:
    wanted = model_accepts(data)
    return all(accepts(draft, data) is wanted for draft in DRAFTS)


def refusal(read_value: Callable[[str], object], text: str) -> ValueError | None:
    try:
        read_value(text)
    except ValueError as error:
        return error
    return None


def shell(characters: str, *longer: str) -> st.SearchStrategy[str]:
    """Text of these characters and pieces, most of it near the border of what is allowed."""
    return st.lists(st.sampled_from([*characters, *longer]), max_size=8).map("".join)


QUOTED = shell("a= '\"\\\n", "A=b ", "''", "K='x y'")
DURATIONS = shell("0123.smhd_+- ", "ms", "1.5", "10s", "e1", "E-", "e300").filter(
    lambda text: "too long" not in str(refusal(parse_duration, text))
)
SIZES = shell("0123. KMGTkibB-", "MiB", "64")
SIGNALS = st.one_of(
    st.integers(-2, 70),
    st.text("0123456789", max_size=3),
    st.sampled_from(
        ["TERM", "sigterm", "SigUsr1", "SIGNOSUCH", "NOSUCH", "", "SIGRTMIN", "cld", "SIG", "SIGSIGHUP"]
    ),
)
NAMES = shell("a. -/,*?[]é\t", "..", "\u00a0", "web@1", "\u200b", "\u202e", "\U000e0041")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-30, 1000),
    st.floats(-2, 2).filter(lambda n: n % 1),
    st.text("a1$", max_size=2),
)
ANYTHING = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text("ab=", max_size=2), SCALARS, max_size=2)
)
TRUTH = st.sampled_from([True, False, "true", "yes", "On", "n", "0", 1, None])
MASKS = st.one_of(st.integers(-1, 600), shell("0178 ", "0o", "22"))
WORDS = st.one_of(QUOTED, st.lists(QUOTED, max_size=2))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "args": WORDS,
    "env_vars": QUOTED,
    "umask": MASKS,
    "name": NAMES,
    "groups": st.lists(NAMES, max_size=2),
    "no_auto_restart": TRUTH,
    "autostart": TRUTH,
    "prune": st.one_of(TRUTH, st.just("confirm")),
    "priority": st.integers(-25, 25),
    "on_change": st.sampled_from(["restart", "signal", "none", "Restart", None]),
    "stop": st.fixed_dictionaries({}, optional={"signal": SIGNALS, "timeout": DURATIONS}),
    "ready": st.one_of(
        ANYTHING,
        st.fixed_dictionaries(
            {},
            optional={
                "exec": WORDS.filter(lambda words: words and (not isinstance(words, str) or words.strip())),
                "tcp": st.sampled_from([80, "80", "db:80", "[::1]:80", "a", 0, 70000]),
                "http": st.sampled_from(
                    [
                        "http://h/",
                        "HTTPS://h",
                        "h",
                        "",
                        5,
                        {},
                        {"url": "http://h"},
                        {"url": "http://h", "status": 204},
                    ]
                ),
                "delay": st.sampled_from(["500ms", 5, "5 parsecs", -1]),
                "successes": ANYTHING,
            },
        ).filter(lambda probe: len(probe.keys() & {"exec", "tcp", "http", "delay"}) < 2),
    ),
    "limits": st.fixed_dictionaries({}, optional={"memory": SIZES, "core": ANYTHING, "nofile": ANYTHING}),
    "restart": st.fixed_dictionaries(
        {},
        optional={
            "delay": st.one_of(DURATIONS, ANYTHING),
            "jitter": ANYTHING,
            "success_exit_codes": ANYTHING,
        },
    ),
}
OF_THE_MODEL = st.sampled_from(sorted(ProcessSpec.declared.keys() - {"dependencies", "name", "exit_on_end"}))


GOOD = {
    "autostart": "true", "env_inherit": "false", "exit_on_end": "false", "no_auto_restart": "true",
    "priority": "5", "prune": "confirm", "umask": "022", "on_change": "none", "env_vars": "A=1",
    "restart.delay": "1s", "stop.signal": "HUP", "limits.nofile": "64", "stop.kill_group": "TRUE",
    "max_runtime": "1s", "type": "oneshot", "resources.cpu": "0.5", "sandbox.network": "none",
    "sandbox.private_tmp": "true", "replicas": "3", "rollout.max_parallel": "2",
    "rollout.on_failure": "stop", "container.pull_policy": "never",
}  # fmt: skip
"""A value by field, as text; any other text will do for the others."""


def entry(fields: dict[str, Any]) -> dict[str, Any]:
    return {"file": "/bin/x", **fields}


@pytest.mark.slow
@given(st.fixed_dictionaries({}, optional=FIELDS))
@settings(max_examples=300, deadline=None)
def test_both_take_the_same_values(fields: dict[str, Any]) -> None:
    assert agree({"processes": [entry(fields)]})


@pytest.mark.slow
@given(OF_THE_MODEL, ANYTHING)
@settings(max_examples=200, deadline=None)
def test_both_take_the_same_types(field: str, value: Any) -> None:
    assert agree({"processes": [entry({field: value})]})


@st.composite
def respelt(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest whose keys are spelt in other ways, of which one is wrong now and then."""
    ways: list[Callable[[str], str]] = [str.upper, str.title, str.lower, lambda key: key.replace("_", "")]
    spellings = st.sampled_from(ways)

    def spelt(data: dict[str, Any]) -> dict[str, Any]:
        keys = {
            key: draw(spellings)(draw(spellings)(key)) + draw(st.sampled_from([""] * 9 + ["s"]))
            for key in data
        }
        return {
            keys[key]: spelt(value) if isinstance(value, dict) and key != "variables" else value
            for key, value in data.items()
        }

    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "log_dir": st.just("/var/log"),
                "no_auto_restart": st.booleans(),
                "env_vars": QUOTED,
                "priority": st.sampled_from([5, "${A:-5}"]),
                "stop": st.just({"kill_group": True, "signal": "HUP"}),
            },
        )
    )
    processes = {"processes": [spelt(entry(fields))]}
    return spelt({**processes, **draw(st.sampled_from([{}, {"variables": {"A": 1}}]))})


@pytest.mark.slow
@given(respelt())
@settings(max_examples=300, deadline=None)
def test_both_take_the_keys_of_the_go_pmon3(data: dict[str, Any]) -> None:
    # Which format a spelling belongs to, no schema can know; `model_accepts` asks for any of them.
    assert agree(data)


@pytest.mark.slow
@given(
    st.one_of(
        OF_THE_MODEL, st.sampled_from(["restart.delay", "stop.signal", "limits.nofile", "stop.kill_group"])
    )
)
@pytest.mark.parametrize("declared", [True, False])
def test_both_take_a_reference_where_variables_are_declared(declared: bool, field: str) -> None:
    section, _, inner = field.rpartition(".")
    value = GOOD.get(field, "x")
    written = {section: {inner: f"${{A:-{value}}}"}} if section else {inner: f"${{A:-{value}}}"}
    data = {"processes": [entry(written)]} | ({"variables": {"A": None}} if declared else {})
    assert agree(data)


@pytest.mark.parametrize("name", ["happac.toml", "happac.json", "happac.yaml", "quickstart.yaml"])
@pytest.mark.parametrize("draft", DRAFTS)
def test_the_samples_are_taken_as_they_are(draft: str, name: str) -> None:
    path = ROOT / "manifests" / name
    text = path.read_text("utf-8")
    assert accepts(draft, format_of(name, text).load(text).data)


UNSAID: dict[str, dict[str, Any]] = {
    "a whole number written with a fraction": {"priority": 5.0},
    "a number too large to be kept": {"limits": {"memory": "99999999TiB"}},
    "a duration of more than a hundred years in text": {"stop": {"timeout": "36501d"}},
    "characters that no program can be given": {"cwd": "a\0"},
    "more than 128 bytes in fewer characters": {"name": "é" * 100},
    "a name that follows from the file": {"file": "/bin/a,b"},
    "a setting against another": {"no_auto_restart": True, "restart": {"policy": "always"}},
    "two kinds of probes in one": {"ready": {"tcp": 80, "exec": "true"}},
    "a kind of probe that is empty": {"ready": {"delay": 0}},
    "a regular expression that is none": {"ready": {"log": "("}},
    "a URL or an address that means nothing": {"live": {"tcp": "a:0"}},
    "a process that is not declared": {"dependencies": ["y"]},
    "one key in two spellings": {"LogDir": "/a", "log_dir": "/b"},
    "what one format alone takes beside what another alone takes": {"LogDir": "/a", "no_auto_restart": "yes"},
    "a variable that is not declared, or has no value": {"args": "${B}"},
    "what a reference comes to": {"priority": "${A}"},
}
"""What JSON Schema has no words for, with an example of each; the how-to on validation has the same list."""


@pytest.mark.parametrize("unsaid", UNSAID)
def test_what_the_schema_cannot_say_only_validate_refuses(unsaid: str) -> None:
    data = {"variables": {"A": "high"}, "processes": [entry(UNSAID[unsaid])]}
    assert not model_accepts(data)
    assert all(accepts(draft, data) for draft in DRAFTS)
    page = " ".join((ROOT / "docs" / "how-to" / "validate-in-ci.md").read_text("utf-8").split())
    assert unsaid in page


@pytest.mark.slow
@pytest.mark.parametrize("draft", DRAFTS)
@given(entries=MANIFESTS)
@settings(max_examples=60, deadline=None)
def test_what_the_model_takes_the_schema_takes(draft: str, entries: list[dict[str, Any]]) -> None:
    written = {"processes": entries}
    assert read([ManifestFile("/p.json", json.dumps(written).encode())]).ok
    assert accepts(draft, written)
    assert accepts(draft, {"processes": [plain(read_value(ProcessSpec, entry)) for entry in entries]})


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_schema_is_one_itself(draft: str) -> None:
    CHECKERS[draft].check_schema(manifest_schema(draft))


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"processes": {}}, {"process": []}, {"processes": [{}]},
        {"processes": [{"file": "/a", "fil": 1}]},
        {"processes": [{"file": "/a", "restart": {"policy": "sometimes"}}]},
        {"processes": [{"file": "/a", "restart": {"jitter": 2}}]},
        {"processes": [{"file": "/a", "groups": "web"}]}, {"processes": [{"file": "/a", "priority": 20}]},
        {"processes": [{"file": "/a", "stop": {"timeout": "5 parsecs"}}]},
        {"processes": [{"file": "/a", "limits": {"memory": "lots"}}]},
        {"processes": [{"file": "/a", "name": "a/b"}]}, {"processes": [{"file": "/a", "name": "-a"}]},
        {"processes": [{"file": "/a", "name": "web@1"}]}, {"processes": [{"file": "/a", "name": "a\u200bb"}]},
        {"processes": [{"file": "/a", "umask": "99"}]}, {"processes": [{"file": "/a", "groups": ["a*"]}]},
        {"processes": [{"file": "/a", "autostart": "yes"}]}, {"processes": [{"file": "/a", "prune": "no"}]},
    ],
)  # fmt: skip
def test_what_an_editor_should_underline_is_refused_by_both(wrong: Any) -> None:
    assert not read([ManifestFile("/p.json", json.dumps(wrong).encode())]).ok
    assert not any(accepts(draft, wrong) for draft in DRAFTS)


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize(
    "fields",
    [
        {"stop": {"timeout": value}}
        for value in ("500ms", "1m30s", " 1.5h ", "10", "1e3", ".5", 2, 0.5, "${T}")
    ] + [{"limits": {"memory": value}} for value in ("64MiB", "10 mb", "512K", "1.5g", "7B", 4096)]
    + [{"umask": value} for value in ("022", "0o22", 18)]
    + [{"name": value} for value in ("a b", "web@x", "web@1a", "@", "ümlaut", "日本")],
)  # fmt: skip
def test_whatever_way_it_is_written(draft: str, fields: dict[str, Any]) -> None:
    written = {"processes": [{"file": "/a", **fields}], "variables": {"T": "1s"}}
    assert read([ManifestFile("/p.json", json.dumps(written).encode())]).ok
    assert accepts(draft, written)


@pytest.mark.parametrize("draft", DRAFTS)
def test_the_shipped_schema_is_the_present_one(draft: str) -> None:
    """`make reference` writes it anew."""
    shipped = json.loads((SHIPPED / f"manifest.{draft}.json").read_text("utf-8"))
    assert shipped == manifest_schema(draft)
