"""Reading manifests: the seed's files unchanged, places, defaults, and what is refused."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest

from pmon3_schema.discovery import discover, is_manifest_name
from pmon3_schema.manifest import ManifestFile, Reading, read

SAMPLES = Path(__file__).parent / "samples"

# Each line is nine uses of the line before: 9 ** 40 values in all.
BOMB = b"x: &a0 [a]\n" + b"".join(b"x%d: &a%d [%s]\n" % (i, i, b"*a%d," % (i - 1) * 9) for i in range(1, 40))


def of(text: str, path: str = "/etc/app/p.yaml", **options: object) -> Reading:
    return read([ManifestFile(path, text.encode())], **options)  # type: ignore[arg-type]


def codes(reading: Reading) -> list[str]:
    return [diagnostic.code for diagnostic in reading.diagnostics]


def test_the_three_sample_manifests_of_the_seed_read_unchanged_and_alike() -> None:
    readings = [
        read([ManifestFile(str(path), path.read_bytes())])
        for path in sorted(SAMPLES.iterdir())
        if path.suffix in {".json", ".toml", ".yaml"}
    ]
    assert len(readings) == 3
    assert all(reading.diagnostics == () for reading in readings)
    specs = [[entry.spec for entry in reading.entries] for reading in readings]
    assert specs[0] == specs[1] == specs[2]
    first, second, third = specs[0]
    assert first.name == "happac1"
    assert first.args == ("-h", "startup-patroni-1.node.consul", "-p", "5555", "-r", "5000")
    assert (first.log_dir, first.needs, first.groups) == (
        "/var/log/custom/",
        ("happac2",),
        ("happac",),
    )
    assert (second.no_auto_restart, second.policy) == (True, "never")
    assert third.env_vars == {"NODE_ENV": "prod"}


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("p.yaml", "processes:\n\n  - file: /bin/a\n  - {file: /bin/b}\n", [(3, 5), (4, 5)]),
        ("p.json", '{"processes": [{"file": "/bin/a"},\n {"file": "/bin/b"}]}', [(1, 16), (2, 2)]),
        (
            "p.toml",
            'x = """\n[[processes]]\n"""\n[[processes]]\nfile="/bin/a"\n[[processes]]\nfile="/bin/b"',
            [],
        ),
        ("p.toml", '[[processes]]\nfile="/bin/a"\n\n[[Processes]]\nfile="/bin/b"\n', []),
        ("p.toml", '# c\n[[processes]]\nfile="/bin/a"\n\n [[processes]]\nfile="/bin/b"\n', [(2, 1), (5, 2)]),
        ("p.toml", 'processes = [{file="/bin/a"},\n  {file="/bin/b"}]\n', [(1, 14), (2, 3)]),
    ],
)
def test_each_entry_says_where_it_starts(path: str, text: str, place: list[tuple[int, int]]) -> None:
    reading = of(text, path)
    if place:
        assert [(entry.line, entry.column) for entry in reading.entries] == place
    else:
        assert not reading.ok


def test_relative_paths_are_those_of_the_manifests_folder() -> None:
    reading = of(
        "processes: [{file: bin/web, log: w.log, log_dir: logs/, cwd: ., env_file: env, stderr_log: e}]"
    )
    spec = reading.entries[0].spec
    assert spec.file == "/etc/app/bin/web"
    assert (spec.log, spec.log_dir, spec.cwd) == ("/etc/app/w.log", "/etc/app/logs", "/etc/app")
    assert (spec.env_file, spec.stderr_log) == (("/etc/app/env",), "/etc/app/e")


def test_a_base_replaces_the_folder() -> None:
    assert of("processes: [{file: ./web}]", base="/home/ana").entries[0].spec.file == "/home/ana/web"


def test_a_missing_name_is_the_base_name_and_a_bare_name_stays_bare() -> None:
    spec = of("processes: [{file: sleep}]").entries[0].spec
    assert (spec.file, spec.name) == ("sleep", "sleep")


def test_a_bare_name_is_looked_up_on_the_search_path_where_there_is_one(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.touch(mode=0o755)
    assert of("processes: [{file: tool}]", search_path=str(tmp_path)).entries[0].spec.file == str(program)
    assert codes(of("processes: [{file: nothing}]", search_path=str(tmp_path))) == ["PM031"]


def test_users_are_checked_where_the_host_is_known() -> None:
    reading = of("processes: [{file: /x, user: nobdy}]", user_exists=lambda name: name == "nobody")
    assert codes(reading) == ["PM030"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "PM011"),
        ("# nothing\n", "PM011"),
        ("other: 1\nprocesses: []", "PM014"),
        ("$schema: x", "PM011"),
        ("- a", "PM010"),
        ("processes:", "PM010"),
        ("processes: [1]", "PM010"),
        ("processes: [{name: a}]", "PM011"),
        ("processes: [{file: ''}]", "PM012"),
        ("processes: [{file: /a, restart: always}]", "PM010"),
        ("processes: [{file: /a, args: 'x \"y'}]", "PM012"),
        ("processes: [{file: /a, env_vars: 'x y'}]", "PM012"),
        ("processes: [{file: /a, no_auto_restart: true, restart: {policy: always}}]", "PM013"),
        ("processes: [{file: /a, exit_on_end: true}]", "PM013"),
        ("processes: [{file: /a, exit_on_end: 1}]", "PM010"),
        ("processes: [{file: /a, name: x/y}]", "PM012"),
        ('processes: [{file: "/a\\0b"}]', "PM012"),
        ("processes: [{file: /a, dependencies: [b]}]", "PM020"),
        ("processes: [{file: /a, dependencies: [a]}]", "PM021"),
        ("processes: [{file: /a}, {file: /b/a}]", "PM022"),
        ("processes: [{file: /a, <<: x}]", "PM010"),
        ("processes: []\n---\nprocesses: []", "PM001"),
        ("processes: [{file: !!python/object /a}]", "PM001"),
        ("processes: [", "PM001"),
        ("\tprocesses: []", "PM001"),
        ("processes: [*a]", "PM001"),
        ("processes: &a [*a]", "PM004"),
        ("processes: []\nprocesses: []", "PM002"),
        ("processes: [{file: /a, 1: b}]", "PM010"),
    ],
)
def test_what_is_refused(text: str, code: str) -> None:
    reading = of(text)
    assert not reading.ok
    assert codes(reading) == [code]


def test_bytes_that_are_no_text_are_refused_where_they_are() -> None:
    reading = read([ManifestFile("/p.yaml", b"processes:\n  - file: /a\xff\n")])
    found = reading.diagnostics[0]
    assert (found.code, found.line, found.column) == ("PM003", 2, 13)
    assert codes(read([ManifestFile("/p.json", b'{"processes":\0[]}')])) == ["PM003"]
    assert codes(read([ManifestFile("/p.yaml", "processes: []\n# \x80".encode())])) == ["PM003"]
    assert codes(read([ManifestFile("/p.json", b'{"processes": [{"file": "/a\\ud800"}]}')])) == ["PM012"]


def test_a_byte_order_mark_is_ignored() -> None:
    assert read([ManifestFile("/p.yaml", b"\xef\xbb\xbfprocesses: []")]).ok


def test_an_empty_list_is_a_valid_manifest_in_every_format() -> None:
    for path, text in (
        ("/p.yaml", "processes: []"),
        ("/p.json", '{"processes":[]}'),
        ("/p.toml", "processes=[]"),
    ):
        assert of(text, path) == Reading((), ())


def test_an_alias_of_a_value_is_fine() -> None:
    reading = of("processes:\n- {file: /a, name: a, groups: &g [x]}\n- {file: /a, name: b, groups: *g}\n")
    assert [entry.spec.groups for entry in reading.entries] == [("x",), ("x",)]


def test_yaml_of_the_seed_may_leave_numbers_unquoted_and_values_empty() -> None:
    spec = of(
        "processes: [{file: /a, name: 0010, args: 8080, user: 1000, log: , no_auto_restart: yes}]"
    ).entries
    assert spec[0].spec.name == "0010"
    assert (spec[0].spec.args, spec[0].spec.user, spec[0].spec.log) == (("8080",), "1000", "")
    assert spec[0].spec.no_auto_restart


def test_umask_keeps_its_digits() -> None:
    assert of("processes: [{file: /a, umask: 0022}]").entries[0].spec.umask == 0o22


def test_spellings_of_keys_by_format() -> None:
    toml = '[[PROCESSES]]\nfile="/a"\nlog_dir="/l"\nStopp=1\n[PROCESSES.Restart]\nMaxDelay="5s"\n'
    reading = of(toml, "/p.toml")
    assert [(d.code, d.line, d.column, d.hint) for d in reading.diagnostics] == [
        ("PM014", 4, 1, "did you mean `stop`?")
    ]
    good = of(toml.replace("Stopp=1\n", ""), "/p.toml").entries[0].spec
    assert (good.log_dir, good.restart.max_delay) == ("/l", 5.0)
    assert of('{"Processes":[{"FILE":"/a","LOG_DIR":"/l"}]}', "/p.json").entries[0].spec.log_dir == "/l"
    assert codes(of('{"processes":[{"file":"/a","File":"/b"}]}', "/p.json")) == ["PM002"]
    assert codes(of("processes: [{File: /a}]")) == ["PM011", "PM014"]


def test_a_name_of_digits_is_a_warning() -> None:
    reading = of("processes: [{file: /a, name: 12}]")
    assert reading.ok
    assert codes(reading) == ["PM040"]


def test_names_and_dependencies_are_checked_across_documents() -> None:
    one = ManifestFile("/a.yaml", b"processes: [{file: /a, dependencies: [b]}]")
    two = ManifestFile("/b.yaml", b"processes: [{file: /b, dependencies: [a]}]")
    again = ManifestFile("/c.yaml", b"processes: [{file: /x/b}]")
    reading = read([one, two, again])
    assert codes(reading) == ["PM021", "PM022"]
    cycle, duplicate = reading.diagnostics
    assert "a -> b -> a" in cycle.message
    assert (duplicate.file, duplicate.related[0].file) == ("/c.yaml", "/b.yaml")


def test_a_dependency_may_be_known_otherwise() -> None:
    assert of("processes: [{file: /a, dependencies: [db]}]", known_names=["db"]).ok


def test_a_broken_document_causes_no_guesses_about_dependencies() -> None:
    reading = read(
        [
            ManifestFile("/a.yaml", b"processes: [{file: /a, dependencies: [b]}]"),
            ManifestFile("/b.yaml", b"["),
        ]
    )
    assert codes(reading) == ["PM001"]


def test_a_folder_is_a_manifest(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.toml", "C.json", ".hidden.yaml", "a.yaml~", "#x.yaml", "x.txt", "z.yml"):
        (tmp_path / name).touch()
    assert [Path(p).name for p in discover(str(tmp_path))] == ["C.json", "a.toml", "b.yaml", "z.yml"]
    assert discover(str(tmp_path / "b.yaml")) == [str(tmp_path / "b.yaml")]
    assert not is_manifest_name("p.yaml.dpkg-old")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/p.yaml", b"[" * 1_000_000),
        ("/p.yaml", b"processes: " + b"[" * 1_000_000),
        ("/p.yaml", BOMB),
        ("/p.yaml", b"processes: [" + b"*a," * 10_000 + b"]"),
        ("/p.yaml", b"? " * 500_000),
        ("/p.yaml", b"processes:\n- {file: /a, args: [" + b"1," * 200_000 + b"]}"),
        ("/p.json", b"[" * 1_000_000),
        ("/p.json", b'{"processes":' * 100_000),
        ("/p.json", b'{"a":1,"a":1,' * 20_000),
        ("/p.json", b'{"processes":[{"file":' + b"9" * 1_000_000 + b"}]}"),
        ("/p.toml", b"a" + b".a" * 1_000_000 + b"=1"),
        ("/p.toml", b"a=" + b"[" * 1_000_000),
        ("/p.toml", b'a="""' * 200_000),
        ("/p.yaml", b"a: 1\n" * 200_000),
        ("/p.yaml", b" " * 17_000_000),
    ],
)  # fmt: skip
def test_hostile_input_is_refused_in_bounded_time(path: str, content: bytes) -> None:
    began = time.process_time()
    reading = read([ManifestFile(path, content)])
    assert not reading.ok
    assert len(reading.diagnostics) <= 1_000
    assert time.process_time() - began < 30, "processor seconds; a few are usual"


LEVELS = 600
"""More than can be walked by recursion, fewer than the parsers refuse."""
NEST = "[" * LEVELS + "]" * LEVELS
CHAIN = "".join(f"a{n}: &a{n} {'[' * 40}*a{n - 1}{']' * 40}\n" for n in range(1, 50))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/p.json", '{"variables": {"A": "b"}, "processes": [{"file": "/a", "args": ' + NEST + "}]}"),
        ("/p.toml", f"[variables]\nA = 'b'\n[[processes]]\nfile = '/a'\nargs = {NEST}\n"),
        ("/p.yaml", f"a0: &a0 []\n{CHAIN}variables: {{A: b}}\nprocesses: [{{file: /a, args: *a49}}]\n"),
    ],
)
def test_what_is_nested_too_deep_to_be_walked_is_refused(path: str, text: str) -> None:
    diagnostics = read([ManifestFile(path, text.encode())]).diagnostics
    assert [found.code for found in diagnostics] == ["PM004"]


def test_a_reading_leaves_nothing_to_the_cyclic_collector() -> None:
    # pmond reads without it, and counts what is left as what stays.
    text = "processes:\n" + "".join(f"  - {{name: p{number}, file: /bin/true}}\n" for number in range(50))
    documents = [ManifestFile("/srv/many.yaml", text.encode())]
    read(documents)
    gc.collect()
    gc.disable()
    try:
        reading = read(documents)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert len(reading.entries) == 50


@pytest.mark.parametrize("text", ["", " \n", "\u00a0", "\u2028"])
def test_a_document_of_nothing_but_spaces_of_any_kind_is_an_empty_one(text: str) -> None:
    """A no-break space alone was looked into as if a value stood there."""
    assert [one.code for one in read([ManifestFile("/a.json", text.encode())]).diagnostics]
