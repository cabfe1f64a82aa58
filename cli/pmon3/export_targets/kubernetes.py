"""Objects of Kubernetes as one YAML file of several documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pmon3.engines.kubernetes.objects import object_of
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.formats.export import render_manifest


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The one file."""
    return {
        "kubernetes.yaml": "---\n".join(render_manifest(object_of(process), "yaml") for process in processes)
    }
