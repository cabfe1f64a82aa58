"""What README.md tells a stranger to type is what the continuous integration runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pmon3_schema import manifest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CI = (ROOT / ".ci" / "run").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
MANIFESTS = sorted(ROOT.glob("manifests/*.yaml")) + sorted(ROOT.glob("manifests/*.toml"))


def the_two_commands() -> list[str]:
    """The first code block below the heading of that name."""
    section = README.split("## Two commands", 1)[1]
    block = re.search(r"```sh\n(.*?)```", section, re.S)
    assert block, "README.md has no code block below '## Two commands'"
    return [line.split("#")[0].strip() for line in block[1].splitlines()]


def test_the_readme_has_two_commands_and_ci_runs_them() -> None:
    commands = the_two_commands()
    assert commands == ["make up", "make test"]
    lines = CI.splitlines()
    assert [line for line in lines if line in commands] == commands
    assert lines[-1] == "make test", "the output of .ci/run must end with pytest's summary"


def test_ci_runs_all_that_make_alone_checks() -> None:
    parts = re.search(r"^check: (.*?) ##", MAKEFILE, re.M)
    assert parts, "the Makefile has no target 'check'"
    run = {word for line in re.findall(r"^make (.*)$", CI, re.M) for word in line.split()}
    assert set(parts[1].split()) - {"fast"} <= run, "make test runs the fast tests too"


@pytest.mark.parametrize(
    "path", [*MANIFESTS, *sorted(ROOT.glob("manifests/*.json"))], ids=lambda path: str(path.name)
)
def test_a_sample_manifest_is_valid(path: Path) -> None:
    reading = manifest.read([manifest.ManifestFile(str(path), path.read_bytes())])
    assert reading.diagnostics == ()
    for entry in reading.entries:
        words = [word for word in entry.spec.args if word.startswith("programs/")]
        assert words and all((Path(entry.spec.cwd) / word).is_file() for word in words)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.name))
def test_a_sample_manifest_opens_with_the_reason_for_it(path: Path) -> None:
    assert path.read_text("utf-8").startswith("# Why: ")


def test_the_samples_of_the_go_pmon3_say_the_same_in_every_format() -> None:
    read = [
        manifest.read([manifest.ManifestFile(str(path), path.read_bytes())])
        for path in sorted(ROOT.glob("manifests/happac.*"))
    ]
    assert len(read) == 3
    assert all(
        [entry.spec for entry in one.entries] == [entry.spec for entry in read[0].entries] for one in read
    )
