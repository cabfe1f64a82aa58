"""The bodies of requests that cross the socket, as strict pydantic models.

Theory of operation: the daemon trusts no client, so each body is read by one of these models
straight from its JSON text; unknown keys and values of another type are errors that name the
field and never repeat its value, which may be a secret. What a model lets through has the
right shape; whether it makes sense (is there such a process, may this caller?) is the
controller's question. Answers are described in `answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Struct, field
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pmon3_schema import goals
from pmon3_schema.errors import ErrorCode, PmonError


def goal(text: str) -> str:
    """The text of a goal, once it has been read. Raises ValueError."""
    goals.parse(text, of_set=True)
    return text


Verb = Literal["start", "restart", "stop", "delete", "kill", "drop", "reset"]
Until = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(goal)]
Reference = Annotated[str, Field(min_length=1, max_length=256, description="id, name or glob (web*)")]

_LONGEST_WAIT = 7 * 86400.0


class Selection(Struct, frozen=True):
    """Which processes a request is about.

    `refs` (ids, names, globs) choose: any of them; all processes when there are none. `groups`
    and `labels` narrow the choice: every one of them. `all` is the caller's word that it really
    means all processes when nothing else is said.
    """

    refs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    all: bool = False


class Body(BaseModel):
    """What all bodies share: no unknown keys, no conversions, no infinite numbers."""

    # Built when the first request of a kind comes: no start has to wait for all of them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


class Promise(Body):
    """A target given back by an earlier command: no state older than this satisfies a wait."""

    name: str
    generation: int
    token: int


class Exec(Body):
    """Submit one process and start it."""

    spec: dict[str, Any] = Field(description="the keys of one entry of a manifest")
    cwd: str = Field(min_length=1, description="the caller's folder, where a relative file is looked up")
    replace: bool = Field(True, description="whether a submitted process of that name may be replaced")


class Action(Body):
    """Do one verb to the selected processes."""

    refs: list[Reference] = []
    groups: list[Reference] = []
    labels: dict[str, str] = {}
    all: bool = False
    changes: dict[str, Any] = Field({}, description="fields of the spec that change first (restart, start)")
    force: bool = Field(False, description="with SIGKILL, or although a guard objects")

    @property
    def selection(self) -> Selection:
        return Selection(tuple(self.refs), tuple(self.groups), dict(self.labels), self.all)


class Document(Body):
    """The text of one manifest; `path` tells its format and the folder of its relative files."""

    path: str = Field(min_length=1)
    text: str
    set: str | None = Field(None, description="the set of this document; the request's by default")


class Apply(Body):
    """Manifests to compare with what runs and, unless it is only planned, to bring about."""

    documents: list[Document] = Field(min_length=1)
    set: str | None = Field(None, description="the set that owns the processes; the path by default")
    dry_run: bool = False
    prune: bool = Field(False, description="delete processes of the set that are no longer declared")
    prune_limit: str = Field(
        "", pattern=r"^([0-9]+%?)?$", description="how many may be deleted: a number, or a share such as 80%"
    )
    allow_empty: bool = Field(False, description="a manifest that declares nothing is meant")
    take_ownership: bool = Field(False, description="processes of other owners become the set's")
    if_version: int | None = Field(None, ge=0, description="the version the set must have; 0: none")
    plan_digest: str = Field("", description="carry out exactly the plan of this digest")
    on_failure: Literal["stop", "continue", "rollback"] = "stop"
    max_parallel: int = Field(1, ge=1, description="restarts that may be under way at once")
    restart: list[Reference] = Field([], description="names to restart whether they changed or not")
    message: str = Field("", max_length=1024, description="goes to the history")
    commit: str = Field(
        "", max_length=80, description="git commit of the caller's work tree; -dirty: changed since"
    )
    full: bool = Field(False, description="answer with each process's whole entry, before and after")


class Choice(Body):
    """Some processes."""

    refs: list[Reference] = []
    groups: list[Reference] = []
    labels: dict[str, str] = {}
    all: bool = False

    @property
    def selection(self) -> Selection:
        return Selection(tuple(self.refs), tuple(self.groups), dict(self.labels), self.all)


class LayHold(Choice):
    """Keep processes down, or up, whatever their manifests say."""

    up: bool = False
    reason: str = Field("", max_length=1024)
    seconds: float | None = Field(None, gt=0, description="until it ends by itself; null: until unhold")


class Suspend(Body):
    """Take no new content from the source of a set."""

    set: str = Field(min_length=1)
    reason: str = Field("", max_length=1024)
    seconds: float | None = Field(None, gt=0, description="until it ends by itself; null: until resume")


class Resume(Body):
    """Take new content again."""

    set: str = Field(min_length=1)


class Rollback(Body):
    """Go back to an earlier revision of a set: the one before, unless another is named."""

    set: str | None = Field(None, description="the set of the process config file by default")
    to: int | None = Field(None, ge=1, description="the number of the revision")
    stable: bool = Field(False, description="the last one that was rolled out whole")
    dry_run: bool = False
    message: str = Field("", max_length=1024)


class Init(Body):
    """Read the process config file again, as hot reload does."""

    process_config_only: bool = False


class Reconcile(Body):
    """Look at everything again. There is nothing to choose."""


class Wait(Body):
    """Wait until all targets are in a state, one has failed, or `timeout` seconds have passed."""

    targets: list[Promise]
    set: str = Field("", description="of whom conditions of sets are judged")
    until: Until = Field(description="conditions, joined by a comma (all) or a bar (any); see `pmon3 wait`")
    timeout: float = Field(60.0, ge=0, le=_LONGEST_WAIT, description="seconds")


class CreateGroup(Body):
    """Create an empty group."""

    name: str


class Membership(Body):
    """Processes to put into groups, or to take out of them."""

    groups: list[Reference] = Field(min_length=1)
    refs: list[Reference] = Field(min_length=1)


class Upgrade(Body):
    """Become the installed code. There is nothing to choose."""


class Shutdown(Body):
    """End the daemon."""

    stop_processes: bool = Field(False, description="stop the processes too, instead of leaving them running")


AnyBody = TypeVar("AnyBody", bound=Body)
BodyModel = type[Body]


def read_body(model: type[AnyBody], text: bytes) -> AnyBody:
    """The body of a request; no text at all is read as an empty object.

    Raises PmonError `bad_request` that names the first wrong field.
    """
    try:
        return model.model_validate_json(text or b"{}")
    except ValidationError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read the request: {_first_of(error)}") from None


def _first_of(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    where = ".".join(str(part) for part in problems[0]["loc"]) or "body"
    # The parser's own complaints end in a line and column, not in values of the body.
    text = f"{where}: {problems[0]['msg']}"
    return text if len(problems) == 1 else f"{text} (and {len(problems) - 1} more)"
