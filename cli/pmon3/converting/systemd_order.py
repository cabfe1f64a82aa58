"""The order and the needs of a unit as dependencies.

Theory of operation: in systemd to start after another unit and to need it are two things, here one. What is
needed has to be up (`required`); what is only started after is not. Every need but Wants= spreads restarts
of the other unit, those that follow a crash too: that is `restart: true`. It spreads stops as well, which
nothing here does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pmon3.converting.drafts import Draft, Need
from pmon3.converting.settings import NotCarried, Section, Setting
from pmon3.converting.systemd_tables import TARGETS

_HARD = ("Requires", "BindsTo", "Requisite")
_SPREADING = (*_HARD, "PartOf")
_OTHERS = (".target", ".device", ".mount", ".socket", ".slice")
_OF_ANOTHER_KIND = (
    "it is reached before pmond starts, or not waited for", "start pmond after it where that matters"
)  # fmt: skip
_UNKNOWN = "it is no process of this input", "declare it, or start it otherwise"


def carry_order(draft: Draft, unit: Section, install: Section, expand: Callable[[str], str]) -> None:
    """What it is started after, and what it needs; `expand` replaces specifiers."""

    def named(*keys: str) -> Iterator[tuple[str, str, Setting]]:
        for key in keys:
            for setting in unit.every(key):
                for name in _names(draft, setting, expand):
                    yield key, name, setting

    ordered = {name for _, name, _ in named("After")}
    needed = {name for _, name, _ in named(*_HARD)}
    spreading = {name for _, name, _ in named(*_SPREADING)}
    for key, name, setting in named("After", "Wants", *_SPREADING):
        if key == "Wants" and name not in ordered:
            why = "every process starts for itself"
            draft.books.lose(setting, why, "see `autostart`", key=f"Wants {name}")
            continue
        draft.need(_need(name, setting, restart=name in spreading, required=name in needed))
        if key in _SPREADING and not name.endswith(_OTHERS):
            what = "the end of" if key == "BindsTo" else "a stop of"
            draft.books.differs(draft.name, f"{what} {name} does not stop it, as {key}= does")
    for _, name, setting in named("Before"):
        draft.precede(_need(name, setting, restart=False, required=False))
    for setting in install.every("WantedBy"):
        for name in setting.value.split():
            if name not in TARGETS:
                draft.books.lose(
                    setting,
                    "no other process starts it",
                    "it starts with pmond: see `autostart`",
                    key=f"WantedBy {name}",
                )


def _names(draft: Draft, setting: Setting, expand: Callable[[str], str]) -> list[str]:
    try:
        return expand(setting.value).split()
    except NotCarried as why:
        draft.books.lose(setting, why.reason, why.advice)
        return []


def _need(name: str, setting: Setting, *, restart: bool, required: bool) -> Need:
    unknown, advice = _OF_ANOTHER_KIND if name.endswith(_OTHERS) else _UNKNOWN
    return Need(name, setting, restart=restart, required=required, unknown=unknown, advice=advice)
