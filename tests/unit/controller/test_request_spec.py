"""Specs that somebody submits: what they mean where they come from, and what is refused."""

from __future__ import annotations

import pytest
from tests.support.factories import spec

from pmon3_schema.errors import ErrorCode, PmonError
from pmond.core.model import Intent
from pmond.runtime.intent.request_spec import check_dependencies, read_spec

DECLARED = {name: Intent(spec(name)) for name in ("db", "cache", "worker")}


def test_paths_are_the_callers_and_a_bare_name_is_left_to_the_path() -> None:
    found = read_spec({"file": "bin/../web", "log": "w.log", "cwd": "run"}, "/srv")
    assert (found.file, found.name, found.log, found.cwd) == ("/srv/web", "web", "/srv/w.log", "/srv/run")
    assert read_spec({"file": "redis-server"}, "/srv").file == "redis-server"


def test_the_first_mistake_is_named_with_its_field() -> None:
    with pytest.raises(PmonError, match=r"restart\.policy: .*must be") as caught:
        read_spec({"file": "/bin/web", "restart": {"policy": "sometimes"}}, "/")
    assert caught.value.code is ErrorCode.INVALID


def test_a_dependency_has_to_be_declared_or_come_with_it() -> None:
    check_dependencies(
        [spec("web", dependencies=["db", "api"]), spec("api", dependencies=["cache"])], DECLARED
    )
    with pytest.raises(PmonError, match="depends on 'wroker', which is not declared") as caught:
        check_dependencies([spec("web", dependencies=["wroker"])], DECLARED)
    assert caught.value.hint == "did you mean worker?"


def test_one_that_is_being_deleted_or_goes_with_this_change_is_not_there() -> None:
    leaving = {**DECLARED, "db": Intent(spec("db"), deleting=True)}
    web = [spec("web", dependencies=["db"])]
    for processes, gone in ((leaving, ()), (DECLARED, ("db",))):
        with pytest.raises(PmonError, match="which is not declared"):
            check_dependencies(web, processes, gone)


def test_a_cycle_over_what_is_declared_already_is_refused() -> None:
    declared = {"db": Intent(spec("db", dependencies=["web"]))}
    with pytest.raises(PmonError, match="form a cycle: "):
        check_dependencies([spec("web", dependencies=["db"])], declared)
