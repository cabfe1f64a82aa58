"""`validate`, `diff`, `plan`, `apply`, `export`, `dgraph`: manifests in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.pmond import Pmond
from tests.support.programs import sleeper

pytestmark = pytest.mark.slow

TEN_MISTAKES = Path(__file__).parents[1] / "golden" / "problems" / "ten-mistakes.yaml"


def write(pmond: Pmond, *processes: dict[str, object], name: str = "app.yaml") -> str:
    path = pmond.folder / name
    path.write_text(json.dumps({"processes": list(processes)}))
    return str(path)


def test_ten_mistakes_are_told_at_once(stopped_pmond: Pmond) -> None:
    """With no pmond at all; `apply` to a running one tells the same and changes nothing."""
    done = stopped_pmond.run("validate", str(TEN_MISTAKES), "-o", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    errors = found if isinstance(found, list) else found["diagnostics"]
    assert len(errors) >= 10
    assert all(error["range"]["start"]["line"] > 1 and error["code"].startswith("PM0") for error in errors)
    concise = stopped_pmond.run("validate", str(TEN_MISTAKES), "--format", "concise")
    assert concise.stdout.count(f"{TEN_MISTAKES.name}:") >= 10
    pmond = stopped_pmond.start()
    applied = pmond.run("apply", "-f", str(TEN_MISTAKES))
    assert applied.returncode == 1
    assert applied.stderr.count(f"{TEN_MISTAKES}:") >= 10
    assert pmond.rows() == {}


def test_nothing_to_validate(stopped_pmond: Pmond) -> None:
    (stopped_pmond.folder / "empty").mkdir()
    for words in (["./empty"], ["no-such-file.yaml"]):
        assert stopped_pmond.run("validate", *words).returncode == 2


def test_exit_codes_of_diff_plan_and_apply(pmond: Pmond) -> None:
    path = write(pmond, sleeper("a"), sleeper("b"))
    for verb in ("diff", "plan"):
        assert pmond.run(verb, "-f", path).returncode == 1
    assert pmond.run("apply", "-f", path, "--dry-run").returncode == 0
    assert pmond.rows() == {}
    pmond.ok("apply", "-f", path)
    assert {row["status"] for row in pmond.rows().values()} == {"running"}
    for verb in ("diff", "plan", "apply"):
        assert pmond.run(verb, "-f", path).returncode == 0
    Path(path).write_text("processes: [\n")
    assert [pmond.run(verb, "-f", path).returncode for verb in ("diff", "plan")] == [2, 2]
    assert pmond.run("apply", "-f", path).returncode == 1
    assert pmond.run("diff", "-f", "no-such-file.yaml").returncode == 2


def test_a_plan_says_what_apply_does_and_hides_secrets(pmond: Pmond) -> None:
    path = write(pmond, sleeper("a", env_vars={"TOKEN": "old-secret"}), sleeper("b"))
    pmond.ok("apply", "-f", path)
    pids = {name: row["pid"] for name, row in pmond.rows().items()}
    write(pmond, sleeper("a", env_vars={"TOKEN": "new-secret"}), sleeper("c"))
    planned = pmond.run("plan", "-f", path, "--prune", "-o", "json")
    plan = json.loads(planned.stdout)
    actions = {action["name"]: action["action"] for action in plan["actions"]}
    assert actions == {"a": "restart", "b": "prune", "c": "create"}
    assert "secret" not in planned.stdout and "/env_vars/TOKEN" in planned.stdout
    pmond.ok("apply", "-f", path, "--prune")
    rows = pmond.rows()
    assert set(rows) == {"a", "c"} and rows["a"]["pid"] != pids["a"]


def test_what_cannot_get_ready_is_told(pmond: Pmond) -> None:
    path = write(pmond, sleeper("good"), {"file": "/bin/false", "name": "bad"})
    done = pmond.run("apply", "-f", path)
    assert done.returncode == 7 and "bad" in done.stderr
    assert pmond.row("good")["status"] == "running"


@pytest.mark.parametrize("form", ["json", "yaml", "toml"])
def test_export_can_be_applied_again(pmond: Pmond, form: str) -> None:
    declared = [
        sleeper("db", groups=["back"]),
        sleeper("web", dependencies=["db"], env_vars={"A": "two words", "B": "ü=$x"}, labels={"tier": "web"}),
        sleeper(
            "odd name", args=["1000"], restart={"policy": "on-failure", "delay": "2s"}, no_auto_restart=False
        ),
    ]
    pmond.ok("apply", "-f", write(pmond, *declared))
    text = pmond.ok("export", form)
    again = pmond.folder / f"again.{form}"
    again.write_text(text)
    pmond.ok("validate", str(again))
    planned = pmond.run("diff", "-f", str(again), "--set", f"file:{pmond.folder}/app.yaml", "-o", "json")
    actions = json.loads(planned.stdout)["actions"]
    # The user that a process runs as is written out; nothing else differs.
    assert {change["path"] for action in actions for change in action["changes"]} <= {"/user"}
    assert "odd name" in text


def test_dgraph(pmond: Pmond) -> None:
    pmond.ok("apply", "-f", write(pmond, sleeper("web", dependencies=["db"]), sleeper("db"), sleeper("x")))
    order = json.loads(pmond.ok("dgraph", "-o", "json"))
    assert order["order"].index("db") < order["order"].index("web")
    assert order["edges"] == [["web", "db"]]
    assert pmond.ok("dgraph", "-o", "name").split()[:2] == ["db", "web"]


def test_a_dependency_on_what_is_pruned(pmond: Pmond) -> None:
    path = write(pmond, sleeper("db"), sleeper("web", dependencies=["db"]))
    pmond.ok("apply", "-f", path)
    write(pmond, sleeper("web", dependencies=["db"]))
    refused = pmond.run("apply", "-f", path, "--prune")
    assert (refused.returncode, "db" in refused.stderr) == (1, True), refused
    assert set(pmond.rows()) == {"db", "web"}
