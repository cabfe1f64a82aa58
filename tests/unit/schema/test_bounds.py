"""`resources` and `sandbox` as they are written, and what they cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pmon3_schema.bounds import ResourcesSpec, SandboxSpec
from pmon3_schema.diagnostics import Diagnostic
from pmon3_schema.effect import Effect
from pmon3_schema.manifest import Entry, ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.revision import changes, revision


def reading(**fields: Any) -> tuple[tuple[Entry, ...], list[Diagnostic]]:
    entry = {"file": "/bin/web", "name": "web", **fields}
    found = read([ManifestFile("/etc/shop/p.json", json.dumps({"processes": [entry]}).encode())])
    return found.entries, [one for one in found.diagnostics if one.is_error]


def spec(**fields: Any) -> ProcessSpec:
    entries, errors = reading(**fields)
    assert not errors, errors
    return entries[0].spec


def test_resources_are_read_in_the_units_of_people() -> None:
    said = spec(resources={"memory_max": "1GiB", "cpu": 0.5, "tasks_max": 100, "io_weight": 50}).resources
    assert said == ResourcesSpec(memory_max=1 << 30, cpu=0.5, tasks_max=100, io_weight=50)
    assert said.wanted and not ResourcesSpec().wanted


def test_a_limit_changes_in_place_and_a_sandbox_by_a_restart() -> None:
    plain = spec()
    more, shut = spec(resources={"cpu": 2}), spec(sandbox={"private_tmp": True})
    assert [change.effect for change in changes(plain, more)] == [Effect.IN_PLACE]
    assert revision(more) == revision(plain) != revision(shut)


def test_paths_of_a_sandbox_count_from_the_folder_of_the_manifest() -> None:
    found = spec(sandbox={"read_only": "/", "writable": ["data"], "hidden": ["./secrets"]}).sandbox
    assert (found.read_only, found.writable, found.hidden) == (
        ("/",),
        ("/etc/shop/data",),
        ("/etc/shop/secrets",),
    )


def test_no_capabilities_is_something_else_than_nothing_said_of_them() -> None:
    assert spec(sandbox={"capabilities": []}).sandbox.wanted
    assert not SandboxSpec().wanted
    assert revision(spec(sandbox={"capabilities": []})) != revision(spec())


@pytest.mark.parametrize(
    ("fields", "field", "why"),
    [
        (
            {"resources": {"memory_max": "1M", "memory_high": "2M"}},
            "resources",
            "memory_high (2 MiB) is above",
        ),
        ({"resources": {"cpu": 0}}, "resources/cpu", "at least 0.01"),
        ({"resources": {"tasks_max": 0}}, "resources/tasks_max", "at least 1"),
        ({"resources": {"cpu_weight": 10001}}, "resources/cpu_weight", "at most 10000"),
        ({"sandbox": {"capabilities": ["NET_ADMIN"]}}, "sandbox/capabilities", "is not a capability"),
        ({"sandbox": {"network": "nobody"}}, "sandbox/network", "must be host, none"),
        ({"sandbox": {"hidden": ["/"]}}, "sandbox", "cannot be all of the host"),
        ({"sandbox": {"hidden": ["/srv/../etc"]}}, "sandbox", "without .."),
        ({"sandbox": {"private_tmp": True, "hidden": ["/tmp/x"]}}, "sandbox", "not there with private_tmp"),
        ({"sandbox": {"private_tmp": True}, "cwd": "/tmp/x"}, "sandbox", "private_tmp and a `cwd` in there"),
        ({"sandbox": {"private_tmp": True}, "log": "/var/tmp/l"}, "sandbox", "a `log` in there"),
        ({"sandbox": {"private_tmp": True}, "file": "/tmp/web"}, "sandbox", "a `file` in there"),
        ({"sandbox": {"network": "none"}, "ready": {"tcp": 80}}, "sandbox", "network: none and `ready.tcp`"),
        (
            {"sandbox": {"read_only": ["/"], "capabilities": ["CAP_SYS_ADMIN"]}},
            "sandbox",
            "with CAP_SYS_ADMIN it could undo the rest",
        ),
    ],
)
def test_what_cannot_be_is_said_where_it_is_written(fields: dict[str, Any], field: str, why: str) -> None:
    _, errors = reading(**fields)
    (error,) = errors
    assert why in error.message.replace(" or ", ", ")
    assert error.path.startswith(f"/processes/web/{field}")


def test_a_probe_by_a_socket_file_reaches_what_has_no_network() -> None:
    ready = {"http": "http+unix://%2Frun%2Fweb.sock/health"}
    assert spec(sandbox={"network": "none"}, ready=ready).ready.kind == "http"
