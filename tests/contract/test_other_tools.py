"""What we hand to other tools is what they take: a workflow, a hook, the JSON Schemas."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "validate-in-ci.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml other\n(.*?)```", PAGE, re.S)
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
GOOD = "processes: [{name: web, file: /usr/bin/env}]\n"
BAD = "processes: [{name: web, file: /usr/bin/env, restart: {policy: on-failur}}]\n"


def checked(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_workflow_is_one_for_github(tmp_path: Path) -> None:
    (workflow,) = (example for example in EXAMPLES if "runs-on" in example)
    file = tmp_path / "workflow.yml"
    file.write_text(workflow)
    done = checked("--builtin-schema", "vendor.github-workflows", file)
    assert done.returncode == 0, done.stdout
    file.write_text(workflow.replace("runs-on", "run-on"))
    assert checked("--builtin-schema", "vendor.github-workflows", file).returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("draft", ["7", "2020-12"])
def test_the_schemas_are_what_editors_read(draft: str, tmp_path: Path) -> None:
    """Their patterns are those of ECMA-262, in its strict mode."""
    schema = ROOT / "schema" / f"manifest.{draft}.json"
    samples = sorted((ROOT / "manifests").glob("*.[yjt]*"))
    assert len(samples) >= 4
    done = checked("--schemafile", schema, *samples)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yaml"
    for field in ("stop: {signal: NOSUCH}", "env_vars: A", 'args: "\'"', "priority: '${A}'", "Filee: x"):
        wrong.write_text(f"processes:\n- file: /a\n  {field}\n")
        assert checked("--schemafile", schema, wrong).returncode == 1, field


def run_hook(folder: Path, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What pre-commit runs: the entry, and the files whose paths match."""
    (hook,) = HOOKS
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    chosen = [path for path in files if re.search(hook["files"], path)]
    program, *arguments = shlex.split(hook["entry"])
    command = [sys.executable, "-m", program, *arguments, *chosen]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_hook_checks_each_manifest_by_itself(tmp_path: Path) -> None:
    """Two machines may have a process of the same name."""
    done = run_hook(tmp_path, {"a/pmon3.yaml": GOOD, "b/process.config.yml": GOOD, "other.yaml": BAD})
    assert (done.returncode, done.stderr) == (0, "pmon3: 2 files, 2 processes, 0 errors, 0 warnings\n")
    done = run_hook(tmp_path, {"a/pmon3.yaml": GOOD, "b/pmon3.yaml": BAD})
    assert done.returncode == 1
    assert "b/pmon3.yaml:1:63" in done.stdout and "a/pmon3.yaml" not in done.stdout


def test_the_hook_has_what_pre_commit_asks_for() -> None:
    (hook,) = HOOKS
    assert {"id", "name", "entry", "language", "files"} <= hook.keys()
    (config,) = (yaml.safe_load(example) for example in EXAMPLES if "hooks:" in example)
    assert {one["id"] for one in config["repos"][0]["hooks"]} == {hook["id"]}
