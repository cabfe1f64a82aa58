"""Actions: the next steps as data. Each says why; `runtime.perform` carries it out."""

from __future__ import annotations

from msgspec import Struct, field

from pmond.core.hooking import Moment
from pmond.core.model import Ending, Files
from pmond.core.probing import Aspect


class Start(Struct, frozen=True):
    """Start instance `number` of a process; every earlier one is gone."""

    name: str
    number: int
    reason: str
    needs: tuple[tuple[str, int], ...] = ()
    """The runs of the dependencies whose replacement replaces it too."""


class Stop(Struct, frozen=True):
    """Ask an instance to end with `signal`; it has `grace` seconds."""

    name: str
    number: int
    ending: Ending
    signal: int
    grace: float
    tree: bool
    """The whole tree is asked, not the main program alone."""
    reason: str


class Kill(Struct, frozen=True):
    """SIGKILL what is left of an instance."""

    name: str
    number: int
    ending: Ending
    tree: bool
    reason: str


class Reload(Struct, frozen=True):
    """Tell an instance to read its files again, by signal or by its command."""

    name: str
    number: int
    files: Files
    reason: str


class RunProbe(Struct, frozen=True):
    """Try a probe once; its result comes as a fact."""

    name: str
    number: int
    aspect: Aspect
    attempt: int


class RunHook(Struct, frozen=True):
    """Run the command at `index` of those of a moment; its end comes as a fact."""

    name: str
    number: int
    moment: Moment
    index: int


class EndHook(Struct, frozen=True):
    """End the hook that runs, and let no other follow; that comes as a fact."""

    name: str
    number: int
    moment: Moment
    index: int
    reason: str


class PlanRun(Struct, frozen=True):
    """Work out the next time of a schedule. `overlapped`: the present one came while a run was going on."""

    name: str
    overlapped: bool = False


class DropTiming(Struct, frozen=True):
    """Wait for no time of a schedule any more."""

    name: str


class PassDeadline(Struct, frozen=True):
    """Take a moment for come that no plan has waited for: an edit moved it into the past."""

    name: str


class Forget(Struct, frozen=True):
    """Nothing of a deleted process is left: drop its records."""

    name: str


Action = (
    Start | Stop | Kill | Reload | RunProbe | RunHook | EndHook | PlanRun | DropTiming | PassDeadline | Forget
)


class TurnPlan(Struct, frozen=True):
    """What to do now, and for each name looked at, when to look again (None: only after a fact)."""

    actions: tuple[Action, ...] = ()
    wake_at: dict[str, float | None] = field(default_factory=dict)
