"""Processes as objects that a Kubernetes API server takes, and what is told instead of being written."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest

from pmon3.engines.kubernetes.checking import check
from pmon3.engines.kubernetes.cron import NotSayable, expression
from pmon3.engines.kubernetes.names import object_names
from pmon3.engines.kubernetes.objects import objects_of
from pmon3.engines.kubernetes.words import escaped
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.manifest import ManifestFile, read
from pmon3_schema.process import ProcessSpec
from pmon3_schema.reading import read_value

IMAGE = {"image": "shop/web:1.2", "ports": [8080], "pull_policy": "if-not-present"}


def objects(**fields: Any) -> tuple[list[dict[str, Any]], str]:
    process = Leaving(
        read_value(ProcessSpec, {"file": "/bin/web", "name": "web", "container": IMAGE, **fields})
    )
    (found,) = objects_of([process])
    return found, "\n".join(process.losses)


def test_two_names_that_would_be_one_are_told_apart_whatever_their_order() -> None:
    names = object_names({"Web": 63, "web": 63, "my_db": 63, "@!": 63})
    assert names["web"] == "web" and names["my_db"] == "my-db" and names["@!"] == "process"
    assert names["Web"] not in ("web", "Web") and names["Web"].startswith("web-")
    assert object_names({"web": 63, "Web": 63})["Web"] == names["Web"]


@pytest.mark.parametrize("longest", [63, 52])
def test_long_names_are_cut_and_differ(longest: int) -> None:
    found = object_names({"a" * 80 + end: longest for end in "xy"}).values()
    assert len(set(found)) == 2 and all(len(name) <= longest for name in found)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0 3 * * 7", "0 3 * * 0"),
        ("0 3 * * 5-7", "0 3 * * 0,5,6"),
        ("0 3 * * 1/2", "0 3 * * 0,1,3,5"),
        ("*/5 * * JAN mon-fri", "*/5 * * JAN mon-fri"),
        ("@Weekly", "0 0 * * 0"),
    ],
)
def test_cron_keeps_its_times(written: str, meant: str) -> None:
    assert expression(written) == meant


@pytest.mark.parametrize("text", ["0 0 L * *", "0 0 * * 1#2", "0 0 * * 5L", "0 0 */2 * 1"])
def test_times_that_its_cron_does_not_know_suspend_the_job(text: str) -> None:
    with pytest.raises(NotSayable):
        expression(text)
    (job,), told = objects(schedule={"cron": text, "timezone": "UTC"})
    assert job["spec"]["suspend"] is True and "schedule.cron" in told


def test_variables_are_in_a_secret_and_nowhere_else() -> None:
    (secret, deployment), told = objects(env_vars={"TOKEN": "s3cret $(A)", "a b": "c"})
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", "web-env")
    assert b64decode(secret["data"]["TOKEN"]) == b"s3cret $(A)"
    assert "s3cret" not in str(deployment) + told and "web: env_vars.a b: a Secret has keys" in told


def test_labels_have_prefixes_and_what_is_none_is_an_annotation() -> None:
    labels = {"example.com/team": "shop", "note": "two words", "Bad Key": "x", "app.kubernetes.io/name": "y"}
    ((deployment,), told) = objects(labels=labels)
    assert deployment["metadata"]["labels"] == {
        "app.kubernetes.io/name": "web", "app.kubernetes.io/managed-by": "pmon3", "example.com/team": "shop",
    }  # fmt: skip
    assert deployment["metadata"]["annotations"] == {"note": "two words"}
    assert "labels.Bad Key" in told and "labels.app.kubernetes.io/name" in told


def test_words_arrive_as_they_are_written() -> None:
    assert [escaped(text) for text in ("$(A)", "$$", "$X", "a$$(B)")] == ["$$(A)", "$$$", "$X", "a$$$$(B)"]


def test_the_container_is_what_the_manifest_says() -> None:
    ((deployment,), told) = objects(
        replicas=3,
        rollout={"max_parallel": 2, "min_ready": "10m"},
        resources={"memory_max": "64MiB", "cpu": 0.25},
    )
    spec = deployment["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("shop/web:1.2", "IfNotPresent")
    assert container["ports"] == [{"containerPort": 8080}]
    assert container["resources"] == {"limits": {"memory": "67108864", "cpu": "250m"}}
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 2}
    assert spec["minReadySeconds"] == 600 < spec["progressDeadlineSeconds"]
    assert told == ""


def test_numbers_of_replicas_are_told_since_pods_have_none() -> None:
    _, told = objects(replicas=2, args=["--port", "${REPLICA+8000}"])
    assert "web: args: pods of a Deployment have no numbers" in told


MANIFEST = b"""processes:
- name: web
  file: /bin/web
  priority: 5
  ready: {notify: true}
- {name: db, file: /bin/db, container: {image: "db:1"}, labels: {"a b/c": d}}
"""


def test_what_cannot_be_said_has_a_place_and_a_reason() -> None:
    document = ManifestFile("/srv/pmon3.yaml", MANIFEST)
    found = {one.path: one for one in check([document], read([document]))}
    priority = found["/processes/web/priority"]
    assert (priority.line, priority.column, priority.is_error) == (4, 13, False)
    assert "nice values cannot be set" in priority.message
    assert found["/processes/web/file"].is_error and "container.image" in found["/processes/web/file"].hint
    assert found["/processes/web/ready/notify"].line == 5
    assert found["/processes/db/labels/a b~1c"].line == 6
