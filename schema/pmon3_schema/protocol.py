"""The bodies of requests that cross the socket, and how strictly they are read.

Theory of operation: the daemon trusts no client, so each body is read by the model of one of these classes
straight from its JSON text; unknown keys and values of another type are errors that name the
field and never repeat its value, which may be a secret. What a model lets through has the
right shape; whether it makes sense (is there such a process, may this caller?) is the
controller's question. Answers are described in `answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from msgspec import Struct
from msgspec import field as member

from pmon3_schema import goals
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.field_types import SignalNumber
from pmon3_schema.fields import Bounds, Conversion, FieldStruct, InvalidValue, field
from pmon3_schema.reading import read_json
from pmon3_schema.rollout import MAX_PARALLEL, PATIENCE
from pmon3_schema.scalars import LONGEST_DURATION


def goal(text: str) -> str:
    """The text of a goal, once it has been read. Raises ValueError."""
    goals.parse(text, of_set=True)
    return text


Verb = Literal["start", "restart", "stop", "delete", "kill", "drop", "reset"]
Until = Annotated[str, Bounds(1, 512), Conversion(goal, check=True)]
Reference = Annotated[str, Bounds(1, 256, "id, name or glob (web*)")]

_LONGEST_WAIT = 7 * 86400.0


class Selection(Struct, frozen=True):
    """Which processes a request is about.

    `refs` (ids, names, globs) choose: any of them; all processes when there are none. `groups`
    and `labels` narrow the choice: every one of them. `all` is the caller's word that it really
    means all processes when nothing else is said.
    """

    refs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = member(default_factory=dict)
    all: bool = False


class Body(FieldStruct, frozen=True):
    """What all bodies share: no unknown keys, no conversions, no infinite numbers."""

    reading: ClassVar[Mapping[str, Any]] = {"strict": True, "allow_inf_nan": False}


class Promise(Body, frozen=True):
    """A target given back by an earlier command: no state older than this satisfies a wait."""

    name: str
    generation: int
    token: int


class Exec(Body, frozen=True):
    """Submit one process and start it."""

    spec: dict[str, Any] = field(description="the keys of one entry of a manifest")
    cwd: str = field(min_length=1, description="the caller's folder, where a relative file is looked up")
    replace: bool = field(True, description="whether a submitted process of that name may be replaced")


class Choice(Body, frozen=True):
    """Some processes."""

    refs: list[Reference] = field([])
    groups: list[Reference] = field([])
    labels: dict[str, str] = field({})
    all: bool = False

    @property
    def selection(self) -> Selection:
        return Selection(tuple(self.refs), tuple(self.groups), dict(self.labels), self.all)


class Action(Choice, frozen=True):
    """Do one verb to the selected processes."""

    changes: dict[str, Any] = field({}, description="fields of the spec that change first (restart, start)")
    force: bool = field(False, description="with SIGKILL, or although a guard objects")


class SendSignal(Choice, frozen=True, kw_only=True):
    """Send a signal to what runs."""

    signal: SignalNumber = field(description="its name or number")
    tree: bool = field(False, description="to the whole trees instead of the main programs")


class Document(Body, frozen=True):
    """The text of one manifest; `path` tells its format and the folder of its relative files."""

    path: str = field(min_length=1)
    text: str = field()


class Apply(Body, frozen=True):
    """Manifests to compare with what runs and, unless it is only planned, to bring about."""

    documents: list[Document] = field(min_length=1)
    set: str | None = field(None, description="the set that owns the processes; the path by default")
    dry_run: bool = False
    prune: bool = field(False, description="delete processes of the set that are no longer declared")
    prune_limit: str = field(
        "", pattern=r"^([0-9]+%?)?$", description="how many may be deleted: a number, or a share such as 80%"
    )
    allow_empty: bool = field(False, description="a manifest that declares nothing is meant")
    take_ownership: bool = field(False, description="processes of other owners become the set's")
    if_version: int | None = field(None, ge=0, description="the version the set must have; 0: none")
    plan_digest: str = field("", description="carry out exactly the plan of this digest")
    on_failure: Literal["stop", "continue", "rollback"] = "stop"
    max_parallel: int = field(
        MAX_PARALLEL, ge=1, description="restarts of different processes that may be under way at once"
    )
    patience: float = field(
        PATIENCE, gt=0, le=_LONGEST_WAIT, description="seconds in which each process has to get further"
    )
    restart: list[Reference] = field([], description="names to restart whether they changed or not")
    message: str = field("", max_length=1024, description="goes to the history")
    commit: str = field(
        "", max_length=80, description="git commit of the caller's work tree; -dirty: changed since"
    )
    full: bool = field(False, description="answer with each process's whole entry, before and after")


class LayHold(Choice, frozen=True):
    """Keep processes down, or up, whatever their manifests say."""

    up: bool = False
    reason: str = field("", max_length=1024)
    seconds: float | None = field(
        None, gt=0, le=LONGEST_DURATION, description="until it ends by itself; null: until unhold"
    )


class Scale(Body, frozen=True):
    """Have so many of each process; for what a manifest declares until it is unheld."""

    counts: dict[str, int] = field(min_length=1, description="how many there are to be, by name")


class Suspend(Body, frozen=True):
    """Take no new content from the source of a set."""

    set: str = field(min_length=1)
    reason: str = field("", max_length=1024)
    seconds: float | None = field(
        None, gt=0, le=LONGEST_DURATION, description="until it ends by itself; null: until resume"
    )


class Resume(Body, frozen=True):
    """Take new content again."""

    set: str = field(min_length=1)


class Rollback(Body, frozen=True):
    """Go back to an earlier revision of a set: the one before, unless another is named."""

    set: str | None = field(None, description="the set of the process config file by default")
    to: int | None = field(None, ge=1, description="the number of the revision")
    stable: bool = field(False, description="the last one that was rolled out whole")
    dry_run: bool = False
    message: str = field("", max_length=1024)


class Init(Body, frozen=True):
    """Read the process config file again, as hot reload does."""

    process_config_only: bool = False


class Reconcile(Body, frozen=True):
    """Look at everything again. There is nothing to choose."""


class Wait(Body, frozen=True):
    """Wait until all targets are in a state, one has failed, or `timeout` seconds have passed."""

    targets: list[Promise]
    until: Until = field(description="conditions, joined by a comma (all) or a bar (any); see `pmon3 wait`")
    set: str = field("", description="of whom conditions of sets are judged")
    timeout: float = field(60.0, ge=0, le=_LONGEST_WAIT, description="seconds")
    progress: bool = field(False, description="count `timeout` anew whenever one of the targets gets further")


class CreateGroup(Body, frozen=True):
    """Create an empty group."""

    name: str


class Membership(Body, frozen=True):
    """Processes to put into groups, or to take out of them."""

    groups: list[Reference] = field(min_length=1)
    refs: list[Reference] = field(min_length=1)


class Upgrade(Body, frozen=True):
    """Become the installed code. There is nothing to choose."""


class Shutdown(Body, frozen=True):
    """End the daemon."""

    stop_processes: bool = field(False, description="stop the processes too, instead of leaving them running")


AnyBody = TypeVar("AnyBody", bound=Body)
BodyClass = type[Body]


def read_body(body: type[AnyBody], text: bytes) -> AnyBody:
    """The body of a request; no text at all is read as an empty object.

    Raises PmonError `bad_request` that names the first wrong field.
    """
    try:
        return read_json(body, text or b"{}")
    except InvalidValue as refused:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the request: {_first_of(refused)}") from None


def _first_of(refused: InvalidValue) -> str:
    problems = refused.errors
    if not problems:  # too many to look at
        return f"{refused.count} values are wrong"
    where = ".".join(str(part) for part in problems[0]["loc"]) or "body"
    # The parser's own complaints end in a line and column, not in values of the body.
    text = f"{where}: {problems[0]['msg']}"
    return text if refused.count == 1 else f"{text} (and {refused.count - 1} more)"
