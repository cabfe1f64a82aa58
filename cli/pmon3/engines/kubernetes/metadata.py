"""Labels and annotations by the rules of Kubernetes: texts that are no labels become annotations."""

from __future__ import annotations

import re

from pmon3.export_targets.leaving import Leaving

OURS = {"app.kubernetes.io/managed-by": "pmon3"}
NAME = "app.kubernetes.io/name"
"""The label by which a Deployment knows its pods."""
DESCRIPTION = "pmon3/description"
CALLED = "pmon3/name"
"""The name that the process has in its manifest, where the object is called otherwise."""
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_VALUE = re.compile(rf"(?:{_PART})?\Z")
_KEY = re.compile(rf"(?:(?P<prefix>[^/]*)/)?{_PART}\Z")
_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z")
_LONGEST_PREFIX = 253
_LARGEST = 256 * 1024
"""Bytes of all annotations of one object."""


def labels_of(process: Leaving) -> tuple[dict[str, str], dict[str, str]]:
    """Labels that may be labels, and all other texts as annotations."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    for key, value in process.take("labels", {}).items():
        if not _is_key(key):
            advice = "write letters, digits, `-`, `_` and `.`, with a domain and `/` before them or without"
            process.lose(f"labels.{key}", "a label cannot be called so", advice)
        elif key in (NAME, *OURS):
            process.lose(f"labels.{key}", "this label is how the object is found again", "call it otherwise")
        elif _VALUE.match(value):
            labels[key] = value
        else:
            annotations[key] = value
    description = process.take("description", "")
    annotations |= {DESCRIPTION: description} if description else {}
    if sum(len(key) + len(value.encode()) for key, value in annotations.items()) > _LARGEST:
        process.lose("labels", "the annotations of an object have at most 256 KiB together")
        annotations = {}
    return labels, annotations


def _is_key(key: str) -> bool:
    found = _KEY.match(key)
    if found is None:
        return False
    prefix = found["prefix"]
    return prefix is None or (len(prefix) <= _LONGEST_PREFIX and _PREFIX.match(prefix) is not None)
