"""The laws of docs/development/laws.md, against the planner and the core alone.

P8, P15, P21, P22 and P24 need a real pmond: tests/e2e/test_declarative.py; P13 is in tests/chaos too,
and P19 in test_schema.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import tomlkit
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from msgspec import to_builtins
from msgspec.structs import replace
from tests.property.test_schema import MANIFESTS
from tests.support.declared_world import DeclaredWorld, Rejected

from pmon3_schema.effect import Effect
from pmon3_schema.formats.export import FORMATS, plain, render
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.profiles import merged, options_document
from pmon3_schema.reading import read_value
from pmon3_schema.revision import changes, revision
from pmond.core.case import waits_for_restart
from pmond.core.model import NOTHING_SEEN, Hold
from pmond.core.step import CREATE, PRUNE, CompareOptions

pytestmark = pytest.mark.slow

NAMES = ["a", "b", "c", "d"]
A, B = "file:/a.yaml", "file:/b.yaml"
DOWN = Hold(up=False, by="ana", at="2025-03-04T05:06:07Z")


@st.composite
def manifests(draw: st.DrawFn) -> tuple[ProcessSpec, ...]:
    """Processes that depend on earlier ones only."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4).map(sorted))
    return tuple(draw(specs(name, [n for n in names if n < name])) for name in names)


@st.composite
def specs(draw: st.DrawFn, name: str, earlier: list[str]) -> ProcessSpec:
    data: dict[str, Any] = {
        "file": "/bin/sleep",
        "name": name,
        "args": draw(st.sampled_from(["1", "2"])),
        "dependencies": draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else [],
        "description": draw(st.sampled_from(["", "new"])),
        "autostart": draw(st.sampled_from([True, True, False])),
        "restart": {"max_failures": draw(st.sampled_from([0, 3]))},
        "on_change": draw(st.sampled_from(["restart", "restart", "signal", "none"])),
        "prune": draw(st.sampled_from([True, True, False, "confirm"])),
    }
    return read_value(ProcessSpec, data)


def options(owner: str = A, **changed: Any) -> CompareOptions:
    return replace(CompareOptions(owner, prune=True, allow_empty=True, prune_limit="100%"), **changed)


def world_after(*steps: tuple[ProcessSpec, ...]) -> DeclaredWorld:
    world = DeclaredWorld()
    for manifest in steps:
        world.apply(manifest, options())
    return world


def startable(manifest: tuple[ProcessSpec, ...]) -> tuple[ProcessSpec, ...]:
    """Without dependencies on processes that nobody starts: what needs one of those never has its turn."""
    idle = {one.name for one in manifest if not one.autostart}
    return tuple(
        replace(one, dependencies=tuple(need for need in one.dependencies if need.name not in idle))
        for one in manifest
    )


def started(manifest: tuple[ProcessSpec, ...]) -> tuple[ProcessSpec, ...]:
    """With all of it started."""
    return tuple(replace(spec, autostart=True) for spec in manifest)


def spec(name: str, seconds: str, autostart: bool = True) -> ProcessSpec:
    return ProcessSpec(file="/bin/sleep", name=name, args=(seconds,), autostart=autostart)


@given(st.lists(manifests(), min_size=1, max_size=3))
@example([(spec("b", "2"),), (spec("d", "2"),), (spec("b", "1", autostart=False), spec("d", "1"))])
@settings(max_examples=60, deadline=None)
def test_p01_applying_twice_changes_nothing(history: list[tuple[ProcessSpec, ...]]) -> None:
    world = world_after(*map(startable, history))
    before = world.picture()
    assert world.apply(startable(history[-1]), options()).steps == ()
    assert world.picture() == before


@given(manifests(), manifests())
@settings(max_examples=80, deadline=None)
def test_p02_an_empty_plan_is_no_change(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...]
) -> None:
    world = world_after(first)
    before = {name: (replace(one, undeclared=False), pid) for name, (one, pid) in world.picture().items()}
    steps = world.apply(second, options()).steps
    after = {name: (replace(one, undeclared=False), pid) for name, (one, pid) in world.picture().items()}
    assert (steps == ()) == (before == after)


@given(manifests(), st.sampled_from(FORMATS))
@settings(max_examples=60, deadline=None)
def test_p04_export_is_a_fixed_point(manifest: tuple[ProcessSpec, ...], format_name: str) -> None:
    text = render([plain(spec) for spec in manifest], format_name)
    reading = read([ManifestFile(f"/p.{format_name}", text.encode())])
    assert render([plain(entry.spec) for entry in reading.entries], format_name) == text


@given(manifests(), manifests())
@settings(max_examples=60, deadline=None)
def test_p05_what_others_own_is_untouched(
    theirs: tuple[ProcessSpec, ...], ours: tuple[ProcessSpec, ...]
) -> None:
    world = DeclaredWorld()
    world.apply(theirs, options(B))
    before = {name: one for name, one in world.picture().items() if one[0].owner == B}
    try:
        world.apply(ours, options(A))
    except Rejected:
        assert {one.name for one in theirs} & {one.name for one in ours}
    assert {name: one for name, one in world.picture().items() if one[0].owner == B} == before


@given(st.lists(manifests(), min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_p06_a_protected_process_outlives_all_manifests(history: list[tuple[ProcessSpec, ...]]) -> None:
    world = DeclaredWorld()
    protected: set[str] = set()
    for manifest in history:
        world.apply(manifest, options())
        protected -= {spec.name for spec in manifest}
        assert protected <= world.intents.keys()
        protected |= {name for name, one in world.intents.items() if one.spec.prune is not True}


@given(manifests(), manifests())
@settings(max_examples=80, deadline=None)
def test_p07_a_pid_changes_when_a_restart_class_value_does(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...]
) -> None:
    first, second = started(first), started(second)
    world = world_after(first)
    before = world.picture()
    world.apply(second, options())
    for spec in second:
        if spec.name not in before:
            continue
        old, pid = before[spec.name]
        if pid and spec.autostart:
            replaced = revision(old.spec) != revision(spec) and spec.on_change != "none"
            assert (world.pid_of(spec.name) != pid) == replaced
        assert (world.intents[spec.name].generation != old.generation) == (old.spec != spec)


@given(manifests(), st.sampled_from(FORMATS), st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_p09_p10_formatting_format_and_files_mean_nothing(
    manifest: tuple[ProcessSpec, ...], format_name: str, at: int
) -> None:
    world = world_after(manifest)
    entries = [plain(spec) for spec in manifest]
    shuffled = [dict(reversed(entry.items())) for entry in entries[at:] + entries[:at]]
    text = json.dumps({"processes": shuffled}, indent=at)
    halves = [render(entries[:at], format_name), render(entries[at:], format_name)]
    files = [ManifestFile(f"/{n}.{format_name}", half.encode()) for n, half in enumerate(reversed(halves))]
    for documents in ([ManifestFile("/p.json", text.encode())], files):
        reading = read(documents)
        assert reading.ok
        assert world.compare([entry.spec for entry in reading.entries], options()).steps == ()


@given(manifests(), st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_p11_a_torn_or_empty_source_takes_nothing_away(manifest: tuple[ProcessSpec, ...], cut: int) -> None:
    """Whatever a prefix of a JSON file says, the guards let it delete nothing."""
    assume(manifest)
    world = world_after(manifest)
    before = world.picture()
    text = render([plain(spec) for spec in manifest], "json")
    reading = read([ManifestFile("/p.json", text[: min(cut, len(text) - 3)].encode())])
    assert not reading.ok
    with pytest.raises(Rejected):
        world.apply((), CompareOptions(A, prune=True))
    assert world.picture() == before


@given(manifests(), manifests(), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_p12_p13_whatever_is_forgotten_in_between_the_end_is_the_same(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...], rounds: int
) -> None:
    """A pmond that dies after some steps and looks again ends where one that lives on does."""
    world = world_after(first)
    other = copy.deepcopy(world)
    world.apply(second, options())
    other.begin(second, options())
    for _ in range(rounds):
        other.roll_out()
    starts = len(other.log)
    other.settle()
    assert {n: one for n, (one, _) in other.picture().items()} == {
        n: one for n, (one, _) in world.picture().items()
    }
    assert {n for n in other.intents if other.pid_of(n)} == {n for n in world.intents if world.pid_of(n)}
    started = [line for line in other.log[starts:] if line.startswith("+")]
    assert len(started) == len(set(started))


@given(manifests(), manifests())
@settings(max_examples=60, deadline=None)
def test_p14_going_back_brings_the_same_specs(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...]
) -> None:
    world = world_after(first)
    owned = {name: one.spec for name, one in world.intents.items()}
    kept = {spec.name for spec in second if spec.prune is not True}
    world.apply(second, options())
    world.apply(first, options())
    assert {n: o.spec for n, o in world.intents.items() if n not in kept or n in owned} == owned


@given(manifests())
@settings(max_examples=60, deadline=None)
def test_p16_prunes_go_in_the_reverse_order_of_creates(manifest: tuple[ProcessSpec, ...]) -> None:
    manifest = tuple(replace(spec, prune=True) for spec in manifest)
    world = DeclaredWorld()
    created = [s.wave for s in world.compare(manifest, options()).steps if s.action == CREATE]
    world.apply(manifest, options())
    pruned = {s.name: s.wave for s in world.compare((), options()).steps if s.action == PRUNE}
    assert sorted(created) == created
    for spec in manifest:
        assert all(pruned[spec.name] < pruned[need] for need in spec.needs)


@given(manifests(), manifests())
@settings(max_examples=60, deadline=None)
def test_p17_a_hold_survives_and_leaves_no_trace(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...]
) -> None:
    first, second = started(first), started(second)
    world = world_after(first)
    names = {spec.name for spec in first} & {spec.name for spec in second}
    assume(names)
    name = min(names)
    other = copy.deepcopy(world)
    world.hold(name, DOWN)
    world.apply(second, options())
    assert world.intents[name].hold == DOWN and not world.pid_of(name)
    world.hold(name, None)
    world.apply(second, options())
    other.apply(second, options())
    assert {n: o.spec for n, o in world.intents.items()} == {n: o.spec for n, o in other.intents.items()}
    assert {n for n in world.intents if world.pid_of(n)} == {n for n in other.intents if other.pid_of(n)}


@given(specs("a", []), specs("b", []))
@settings(max_examples=60, deadline=None)
def test_p18_a_rename_keeps_the_pid_unless_what_changes_needs_a_restart(
    old: ProcessSpec, other: ProcessSpec
) -> None:
    old = replace(old, autostart=True)
    new = replace(other, renamed_from="a", autostart=True)
    world = world_after((old,))
    pid = world.pid_of("a")
    world.apply((new,), options())
    assert "a" not in world.intents
    restart = new.on_change != "none" and any(
        change.effect is Effect.RESTART for change in changes(replace(old, name="b"), new)
    )
    assert (world.pid_of("b") == pid) == (not restart)
    assert world.log.count("+b") == restart and "+a" not in world.log[1:], "renamed first, then restarted"
    assert world.intents["b"].generation == 2, "one change"


@given(specs("a", []), specs("b", []), st.booleans())
@settings(max_examples=60, deadline=None)
def test_p18_a_hot_reload_renames_and_leaves_the_restart_for_later(
    old: ProcessSpec, other: ProcessSpec, twice: bool
) -> None:
    new = replace(other, renamed_from="a", autostart=True)
    world = world_after((replace(old, autostart=True),))
    pid = world.pid_of("a")
    for _ in range(1 + twice):
        world.apply((new,), options(restart=False))
    assert world.pid_of("b") == pid and "a" not in world.intents
    world.apply((new,), options())
    restart = new.on_change != "none" and revision(new) != revision(replace(old, name="b"))
    assert (world.pid_of("b") == pid) == (not restart)


def renamed(manifest: tuple[ProcessSpec, ...], names: list[str]) -> tuple[ProcessSpec, ...]:
    """The same processes under other names, as far as there are some."""
    new = {spec.name: name for spec, name in zip(manifest, names, strict=False)}
    return tuple(
        replace(
            spec,
            name=new.get(spec.name, spec.name),
            renamed_from=spec.name if spec.name in new else "",
            dependencies=tuple(
                replace(need, name=new.get(need.name, need.name)) for need in spec.dependencies
            ),
        )
        for spec in manifest
    )


@given(manifests(), manifests(), st.permutations("wxyz").map(lambda names: names[:2]))
@settings(max_examples=80, deadline=None)
def test_p01_p02_renames_and_changes_of_one_apply_are_done_by_it(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...], names: list[str]
) -> None:
    """Each process may get another name, other fields and other dependencies at once."""
    first, second = startable(first), startable(second)
    kept = {spec.name for spec in first}
    second = renamed(tuple(spec for spec in second if spec.name in kept), names)
    declared = {spec.name for spec in second}
    second = tuple(
        replace(spec, dependencies=tuple(need for need in spec.dependencies if need.name in declared))
        for spec in second
    )
    world = world_after(first)
    world.apply(second, options())
    for spec in second:
        one = world.intents[spec.name]
        assert one.spec == spec
        waits = waits_for_restart(one, world.observed.get(spec.name, NOTHING_SEEN))
        assert not waits or spec.on_change == "none"
    before = world.picture()
    assert world.apply(second, options()).steps == ()
    assert world.picture() == before


@given(manifests(), manifests(), manifests())
@settings(max_examples=80, deadline=None)
def test_a_restart_that_was_put_off_names_what_the_running_program_is_without(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...], third: tuple[ProcessSpec, ...]
) -> None:
    world = world_after(started(first))
    runs = {spec.name: spec for spec in first if world.pid_of(spec.name)}
    for manifest in (second, third):
        world.apply(started(manifest), options(restart=False, prune=False))
    found = world.compare(started(third), options(prune=False))
    steps = {step.name: step for step in found.steps}
    notes = {note.name: note.message for note in found.notes if note.code == "pending"}
    for spec in third:
        earlier = runs.get(spec.name)
        if earlier is None or not world.intents[spec.name].deferred:
            continue
        missing = [c for c in changes(earlier, spec) if c.effect is Effect.RESTART]
        if spec.on_change == "none":
            assert spec.name not in steps
            assert (spec.name in notes) == bool(missing)
            assert all(change.path in notes[spec.name] for change in missing)
        else:
            assert [*steps[spec.name].changes] == missing if missing else spec.name not in steps


@given(manifests(), manifests(), st.lists(st.sampled_from("xy"), max_size=4))
@settings(max_examples=80, deadline=None)
def test_files_and_fields_do_what_on_change_says(
    first: tuple[ProcessSpec, ...], second: tuple[ProcessSpec, ...], contents: list[str]
) -> None:
    """restart: another pid; signal: the same one, told once for each change; none: nothing at all."""
    first, second = started(first), started(second)
    world = world_after(first)
    for spec in first:
        world.write(spec.name, ("/f", ""))
        read = ""
        for content in contents:
            pid, told = world.pid_of(spec.name), world.log.count(f"~{spec.name}")
            world.write(spec.name, ("/f", content))
            changed, read = content != read, content
            assert (world.pid_of(spec.name) != pid) == (changed and spec.on_change == "restart")
            after = world.log.count(f"~{spec.name}") - told
            assert after == (1 if changed and spec.on_change == "signal" else 0)
    before, told = world.picture(), len(world.log)
    steps = {step.name: step for step in world.apply(second, options()).steps}
    for spec in second:
        pid = before[spec.name][1] if spec.name in before else 0
        step = steps.get(spec.name)
        restarts = step is not None and step.action == "restart"
        assert pid == 0 or (world.pid_of(spec.name) != pid) == restarts, "what the plan says is what happens"
        reloads = step is not None and step.effect == "reload"
        # What waits for its turn to be restarted may be told meanwhile.
        assert restarts or (world.log[told:].count(f"~{spec.name}") == 1) == reloads


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "args": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "env_vars": st.dictionaries(st.sampled_from("AB"), st.sampled_from("xy"))
        | st.sampled_from(["A=1", "B=2 A=3"]),
        "cwd": st.sampled_from(["/", "/tmp"]),
        "restart": st.dictionaries(st.sampled_from(["delay", "window"]), st.sampled_from(["1s", "2s"])),
        "labels": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
    },
)


@given(ENTRIES, ENTRIES, ENTRIES)
@settings(max_examples=200, deadline=None)
def test_p23_laying_over_is_associative_and_nothing_changes_nothing(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert merged(one, {}) == one == merged(one, {})
    left, right = merged(merged(one, two), three), merged(one, merged(two, three))
    both = (
        read_value(ProcessSpec, {"file": "/x", **left}),
        read_value(ProcessSpec, {"file": "/x", **right}),
    )
    assert both[0] == both[1]


@given(ENTRIES, ENTRIES, ENTRIES)
@settings(max_examples=100, deadline=None)
def test_p23_a_profile_is_what_merging_says_in_any_file_and_format(
    entry: dict[str, Any], one: dict[str, Any], two: dict[str, Any]
) -> None:
    base = {"processes": [{"file": "/x", "name": "web", **entry}]}
    profiles = {
        name: {"processes": [{"name": "web", **change}]} for name, change in {"a": one, "b": two}.items()
    }
    use = {"profiles": ["a", "b"]}
    together = [ManifestFile("/m/p.json", json.dumps({**base, "profiles": profiles, "use": use}).encode())]
    apart = [
        ManifestFile(f"/m/{n}.json", json.dumps(part).encode())
        for n, part in enumerate([{"profiles": {"b": profiles["b"]}}, {"use": use}, base,
                                  {"profiles": {"a": profiles["a"]}}])
    ]  # fmt: skip
    expected = read_value(ProcessSpec, merged(merged(base["processes"][0], one), two))
    for documents in (together, apart):
        reading = read(documents)
        assert reading.ok, reading.diagnostics
        assert [entry.spec for entry in reading.entries] == [expected]


def referring(value: Any, variables: dict[str, Any], path: tuple[Any, ...] = ()) -> Any:
    """The value with each number, truth value and text in it, but for names, made of a variable."""
    if isinstance(value, dict):
        return {key: referring(item, variables, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [referring(item, variables, (*path, index)) for index, item in enumerate(value)]
    if path[-1] == "name":
        return value
    name = f"V{len(variables)}"
    variables[name] = value if isinstance(value, str) else json.dumps(value)
    return f"${{{name}}}"


@given(MANIFESTS, manifests(), st.sampled_from(FORMATS))
@settings(max_examples=150, deadline=None)
def test_p23_a_value_may_be_a_variable_whatever_its_type(
    entries: list[dict[str, Any]], more: tuple[ProcessSpec, ...], format_name: str
) -> None:
    specs = [read_value(ProcessSpec, entry) for entry in entries] + list(more)
    assume(len({spec.name for spec in specs}) == len(specs))
    variables: dict[str, Any] = {}
    made = [referring(plain(spec), variables) for spec in specs]
    declared = dict.fromkeys(variables, "")
    text = {
        "json": lambda body: json.dumps({"variables": declared, **json.loads(body)}),
        "yaml": lambda body: f"variables: {json.dumps(declared)}\n{body}",
        "toml": lambda body: f"{body}\n{tomlkit.dumps({'variables': declared})}",
    }[format_name](render(made, format_name))
    chosen = options_document([], variables)
    reading = read([ManifestFile(f"/m.{format_name}", text.encode()), chosen])
    assert reading.ok, reading.diagnostics
    assert [entry.spec for entry in reading.entries] == specs


@given(manifests())
@settings(max_examples=40, deadline=None)
def test_p20_defaults_are_no_part_of_a_revision(manifest: tuple[ProcessSpec, ...]) -> None:
    """What a newer version adds is a default here: it must not count."""
    for spec in manifest:
        written = spec.to_record()
        assert revision(ProcessSpec.from_record(written)) == revision(spec)
        everything = to_builtins(spec)
        assert revision(ProcessSpec.from_record(everything)) == revision(spec)


class Histories(RuleBasedStateMachine):
    """Two owners, holds and crashes in any order; the laws hold after each step."""

    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.world = DeclaredWorld()
        self.last: dict[str, tuple[ProcessSpec, ...]] = {}

    @rule(manifest=manifests(), owner=st.sampled_from([A, B]), restart=st.booleans(), take=st.booleans())
    def apply(self, manifest: tuple[ProcessSpec, ...], owner: str, restart: bool, take: bool) -> None:
        before = self.world.picture()
        try:
            self.world.apply(manifest, options(owner, restart=restart, take_over=take))
        except Rejected:
            assert self.world.picture() == before
            return
        self.last[owner] = manifest
        if take:
            self.last = {owner: manifest}

    @rule(name=st.sampled_from(NAMES), up=st.booleans())
    def hold(self, name: str, up: bool) -> None:
        if name in self.world.intents:
            self.world.hold(name, replace(DOWN, up=up))

    @rule(name=st.sampled_from(NAMES))
    def unhold(self, name: str) -> None:
        if name in self.world.intents:
            self.world.hold(name, None)

    @rule(name=st.sampled_from(NAMES))
    def crash(self, name: str) -> None:
        self.world.crash(name)

    @invariant()
    def nothing_is_left_half_done(self) -> None:
        for name, one in self.world.intents.items():
            assert not one.deleting and not one.staged
            up = one.hold.up if one.hold is not None else one.spec.autostart
            needs = all(self.world.pid_of(need) for need in one.spec.needs)
            assert up or not self.world.pid_of(name)
            assert self.world.pid_of(name) or not up or not needs

    @invariant()
    def applying_the_same_again_changes_nothing(self) -> None:
        for owner, manifest in self.last.items():
            before = self.world.picture()
            again = self.world.compare(manifest, options(owner, restart=False))
            assert again.steps == ()
            assert self.world.picture() == before


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=12, deadline=None)
