"""Saved plans: what `plan --out` writes and `apply` carries out exactly, or not at all.

Theory of operation: the file has the plan as it was shown, its digest, and the manifests it was
made from. `apply` sends the manifests and the digest; pmond plans once more and goes on only if
its plan has the same digest, which includes the version of the set. So a plan runs once.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pmon3_schema.errors import ErrorCode, PmonError

_FORMAT = "pmon3.plan/1."
_SENT = ("documents", "set", "prune", "prune_limit", "allow_empty", "take_ownership", "restart")


def write(path: str, plan: dict[str, Any], body: dict[str, Any]) -> None:
    """Save a plan for its owner alone: the manifests in it may hold secrets. Raises OSError."""
    request = {key: body[key] for key in _SENT if key in body}
    text = json.dumps({**plan, "request": request}, ensure_ascii=False, indent=1) + "\n"
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
        os.fchmod(descriptor, 0o600)
        file.write(text)
    Path(new).replace(path)


def read(path: str) -> dict[str, Any]:
    """A saved plan. Raises PmonError, OSError."""
    try:
        plan = json.loads(Path(path).read_text("utf-8", "surrogateescape"))
    except ValueError:
        plan = None
    if not isinstance(plan, dict) or not str(plan.get("format", "")).startswith(_FORMAT):
        hint = f"apply manifests with -f {path}"
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot use {path}: it is not a saved plan", hint)
    if not isinstance(plan.get("request"), dict) or "plan_digest" not in plan:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot use {path}: it was not saved with plan --out", "")
    return plan


def request(plan: dict[str, Any]) -> dict[str, Any]:
    """The request that carries a saved plan out."""
    return {**plan["request"], "plan_digest": plan["plan_digest"]}


def difference(saved: dict[str, Any], now: dict[str, Any]) -> str:
    """What is not the same in two plans, as a unified diff of their lines."""
    from difflib import unified_diff

    from pmon3.render_plan import plan_text

    def lines(plan: dict[str, Any]) -> list[str]:
        return [f"version {plan['set_version']}\n", *plan_text(plan).splitlines(keepends=True)]

    before, after = lines(saved), lines(now)
    return "".join(unified_diff(before, after, "saved plan", "plan now"))
