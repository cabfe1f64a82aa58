"""Variables and profiles with a real pmond: apply, diff, hot reload and rollback agree on them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow

TEXT = """\
variables: {SECONDS: 1000, TOKEN: none}
processes:
  - name: web
    file: /bin/sleep
    args: ${SECONDS}
    env_vars: {TOKEN: "${TOKEN}"}
  - {name: debug, file: /bin/sleep, args: '1000', profiles: [dev]}
profiles:
  prod:
    variables: {SECONDS: 2000}
    processes:
      - {name: web, description: public}
"""


def args(pmond: Pmond) -> list[str]:
    found: list[str] = pmond.row("web")["args"]
    return found


def test_what_apply_chose_is_what_every_later_reading_takes(pmond: Pmond) -> None:
    pmond.write(TEXT)
    pmond.until("web", "running")
    file = str(pmond.manifest_file)
    assert args(pmond) == ["1000"]
    chosen = ("-f", file, "--profile", "prod", "--var", "TOKEN")
    assert pmond.run("diff", *chosen, env={"TOKEN": "s3cret"}).returncode == 1
    assert "s3cret" not in pmond.ok("apply", *chosen, env={"TOKEN": "s3cret"})
    pid = pmond.until("web", "running")["pid"]
    assert args(pmond) == ["2000"]
    assert pmond.run("diff", "-f", file).returncode == 0
    assert pmond.run("diff").returncode == 0
    assert "profiles prod, variables TOKEN" in pmond.ok("status")
    assert "description 12" in pmond.ok("desc", "web")

    pmond.write(TEXT.replace("public", "for all"))
    until(lambda: "for all" in pmond.ok("desc", "web"), "hot reload to use the profile")
    pmond.ok("init")
    assert (args(pmond), pmond.row("web")["pid"]) == (["2000"], pid)
    exported = json.loads(pmond.ok("export", "json"))["processes"]
    assert [(one["name"], one["args"]) for one in exported] == [("web", "2000")]
    assert exported[0]["env_vars"] == "TOKEN=s3cret"

    pmond.ok("apply", "-f", file, "--profile", "dev")
    pmond.until("debug", "running")
    assert args(pmond) == ["1000"]
    pmond.ok("rollback")
    assert args(pmond) == ["2000"]


def test_the_choice_outlives_pmond_and_a_saved_plan(pmond: Pmond) -> None:
    pmond.write(TEXT)
    pmond.until("web", "running")
    file = str(pmond.manifest_file)
    assert pmond.run("plan", "-f", file, "--profile", "prod", "--out", "saved").returncode == 1
    assert pmond.run("apply", "saved", "--profile", "dev").returncode == 2
    pmond.ok("apply", "saved")
    pmond.kill()
    pmond.start()
    pmond.ok("init")
    assert args(pmond) == ["2000"]
    assert pmond.run("diff").returncode == 0
    pmond.ok("apply", "-f", file, "--profile", "none")
    assert args(pmond) == ["1000"]


def check(pmond: Pmond) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "pmond", "--check"]
    return subprocess.run(command, env=pmond.environment, capture_output=True, text=True, check=False)


def test_check_reads_the_manifest_with_what_was_chosen_for_it(pmond: Pmond) -> None:
    state = pmond.folder / "data"
    needing = TEXT.replace("TOKEN: none", "TOKEN: ")
    pmond.write(TEXT)
    pmond.until("web", "running")
    assert "chosen" not in check(pmond).stderr
    pmond.ok("apply", "-f", str(pmond.manifest_file), "--profile", "prod", "--var", "TOKEN=s3cret")
    pmond.write(needing)
    # The running pmond has the file for itself; the one that looks must not need it, nor disturb it.
    before = sorted(path.name for path in state.iterdir())
    done = check(pmond)
    assert (done.returncode, "profiles prod, variables TOKEN" in done.stderr) == (0, True), done
    assert "s3cret" not in done.stderr + done.stdout
    assert sorted(path.name for path in state.iterdir()) == before
    assert args(pmond) == ["2000"]
    pmond.kill()
    assert check(pmond).returncode == 0

    (state / "data.db").write_bytes(b"no database at all")
    (state / "data.db-wal").unlink()  # it has all that was written lately
    done = check(pmond)
    assert done.returncode == 2, done
    assert "the variable `TOKEN` has no value" in done.stderr
    assert "without what may be chosen for it: cannot read the state: file is not a database" in done.stderr


def test_a_folder_has_the_machines_choice_in_a_file_of_its_own(pmond: Pmond) -> None:
    folder = pmond.folder / "set"
    folder.mkdir()
    (folder / "base.yaml").write_text(TEXT.partition("profiles:\n")[0])
    (folder / "prod.yaml").write_text("profiles:" + TEXT.partition("\nprofiles:")[2])
    (folder / "use.yaml").write_text("use: {profiles: [prod]}\n")
    pmond.ok("validate", str(folder))
    pmond.ok("apply", "-f", str(folder))
    assert args(pmond) == ["2000"]
    assert f"description {folder}/prod.yaml:5" in pmond.ok("desc", "web")
    (folder / "prod.yaml").write_text("profiles: {prod: {processes: [{name: wbe}]}}\n")
    refused = pmond.run("apply", "-f", str(folder))
    assert refused.returncode == 1
    assert f"{folder}/prod.yaml:1:38" in refused.stderr


def test_validate_looks_into_every_profile(pmond: Pmond) -> None:
    file = pmond.folder / "m.yaml"
    file.write_text(
        TEXT + "      - {name: debug, restart: {delay: soon}}\n  dev: {processes: [{name: wob}]}\n"
    )
    found = pmond.run("validate", str(file), "--format", "concise")
    assert found.returncode == 1
    assert [line.partition(": ")[0] for line in found.stdout.splitlines()] == [f"{file}:14:28"]
    assert pmond.run("validate", str(file), "--profile", "prod").returncode == 0
    assert pmond.run("validate", str(file), "--profile", "prod,dev").returncode == 1
    assert pmond.run("validate", str(file), "--var", "NO_SUCH_VARIABLE").returncode == 2
