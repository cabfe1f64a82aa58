"""Objects of Kubernetes as one YAML file of several documents, and a kustomization that names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from pmon3.engines.kubernetes.objects import objects_of
from pmon3.export_targets.leaving import Leaving
from pmon3_schema.formats.export import render_manifest

_FILE = "kubernetes.yaml"
BESIDE = frozenset({"kustomization.yaml"})
"""What is written into a folder, and not printed."""
_KUSTOMIZATION = {
    "apiVersion": "kustomize.config.k8s.io/v1beta1",
    "kind": "Kustomization",
    "resources": [_FILE],
}


def render(processes: Sequence[Leaving]) -> Mapping[str, str]:
    """The file of all objects, and the kustomization."""
    objects = chain.from_iterable(objects_of(processes))
    return {
        _FILE: "---\n".join(render_manifest(one, "yaml") for one in objects),
        "kustomization.yaml": render_manifest(_KUSTOMIZATION, "yaml"),
    }
