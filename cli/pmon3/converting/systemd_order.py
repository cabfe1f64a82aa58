"""The order and the needs of a unit as dependencies."""

from __future__ import annotations

from pmon3.converting.drafts import Draft, Need
from pmon3.converting.settings import Section, Setting
from pmon3.converting.systemd_tables import TARGETS

_HARD = ("Requires", "BindsTo", "Requisite")
_NEEDS = (*_HARD, "Wants")


def carry_order(draft: Draft, unit: Section, install: Section) -> None:
    """What it is started after, and what it needs: in systemd two things, here one."""
    ordered = {name for setting in unit.every("After") for name in setting.value.split()}
    needed = {name for key in _HARD for setting in unit.every(key) for name in setting.value.split()}
    for key in ("After", *_NEEDS, "PartOf", "Before"):
        for setting in unit.every(key):
            for name in setting.value.split():
                _need(draft, key, name, setting, ordered, needed)
    for setting in install.every("WantedBy"):
        for name in setting.value.split():
            if name not in TARGETS:
                draft.books.lose(
                    setting,
                    "no other process starts it",
                    "it starts with pmond: see `autostart`",
                    key=f"WantedBy {name}",
                )


def _need(draft: Draft, key: str, name: str, setting: Setting, ordered: set[str], needed: set[str]) -> None:
    target = name.endswith((".target", ".device", ".mount", ".socket", ".slice"))
    unknown = (
        "it is reached before pmond starts, or not waited for" if target else "it is no process of this input"
    )
    advice = "start pmond after it where that matters" if target else "declare it, or start it otherwise"
    need = Need(
        name,
        setting,
        advice=advice,
        restart=key in ("BindsTo", "PartOf"),
        required=name in needed or key == "PartOf",
        unknown=unknown,
    )
    if key == "Before":
        draft.precede(need)
    elif key == "Wants" and name not in ordered:
        draft.books.lose(setting, "every process starts for itself", "see `autostart`", key=f"Wants {name}")
    else:
        draft.need(need)
