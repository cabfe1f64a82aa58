"""What a process may use, see and reach: limits of its control group, and its sandbox."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, Literal

from pmon3_schema import input_schema
from pmon3_schema.capability_names import NUMBERS, UNDOING
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import Flag, FromText, Number, Part, Size, Text, Texts, Whole
from pmon3_schema.fields import Conversion, field, mistake
from pmon3_schema.scalars import LARGEST_SIZE, format_size
from pmon3_schema.substituted_text import as_text

_TEMPORARY = ("/tmp", "/var/tmp")


def _capabilities(value: Any) -> Any:
    for name in value if isinstance(value, list | tuple) else ():
        plain = as_text(name)
        if isinstance(plain, str) and plain not in NUMBERS:
            raise mistake(
                "capability", f"{plain!r} is not a capability (write CAP_NET_BIND_SERVICE and such)"
            )
    return tuple(value) if isinstance(value, list) else value


Capabilities = Annotated[tuple[Text, ...] | None, Conversion(_capabilities, input_schema.CAPABILITIES)]
"""None: nothing is said of them; without any: it has none."""


class ResourcesSpec(Part, frozen=True):
    """Limits and shares of the whole tree, kept by its control group (cgroup v2)."""

    memory_max: Size | None = field(
        None, effect=Effect.IN_PLACE, description="memory of the tree; above it the kernel kills in the tree"
    )
    memory_high: Size | None = field(
        None,
        effect=Effect.IN_PLACE,
        description="memory of the tree from which on it is slowed down and its pages are reclaimed",
    )
    cpu: Number | None = field(
        None, effect=Effect.IN_PLACE, ge=0.01, le=100_000, description="processors it may use: 0.5, 2"
    )
    cpu_weight: Whole | None = field(
        None,
        effect=Effect.IN_PLACE,
        ge=1,
        le=10_000,
        description="its share of busy processors, beside 100 of others",
    )
    tasks_max: Whole | None = field(
        None, effect=Effect.IN_PLACE, ge=1, le=LARGEST_SIZE, description="processes and threads of the tree"
    )
    io_weight: Whole | None = field(
        None,
        effect=Effect.IN_PLACE,
        ge=1,
        le=10_000,
        description="its share of busy disks, beside 100 of others",
    )

    def check(self, given: Set[str]) -> None:
        if (
            self.memory_max is not None
            and self.memory_high is not None
            and self.memory_high > self.memory_max
        ):
            raise mistake(
                "memory",
                f"memory_high ({format_size(self.memory_high)}) is above memory_max"
                f" ({format_size(self.memory_max)}), which would come first",
            )

    @property
    def wanted(self) -> bool:
        """Whether anything is bounded at all."""
        return any(value is not None for value in self.to_record().values())


class SandboxSpec(Part, frozen=True):
    """What the program and all that it starts can see, write and reach."""

    no_new_privileges: Flag = field(
        False, effect=Effect.RESTART, description="nothing that it executes has more rights (setuid programs)"
    )
    capabilities: Capabilities = field(
        None,
        effect=Effect.RESTART,
        description="capabilities that it has, and never another: [CAP_NET_BIND_SERVICE], [] for none",
    )
    private_tmp: Flag = field(
        False, effect=Effect.RESTART, description="a /tmp and /var/tmp of its own, empty at each start"
    )
    read_only: Texts = field(
        (),
        effect=Effect.RESTART,
        description="folders and files that it cannot write to, with all below them",
    )
    hidden: Texts = field(
        (), effect=Effect.RESTART, description="folders and files that it cannot look into, and finds empty"
    )
    writable: Texts = field(
        (), effect=Effect.RESTART, description="what it may write to below a folder of `read_only`"
    )
    network: Annotated[Literal["host", "none"], FromText] = field(
        "host",
        effect=Effect.RESTART,
        description="the network of the host, or none but a loopback of its own",
    )

    def check(self, given: Set[str]) -> None:
        for name in ("read_only", "hidden", "writable"):
            for path in getattr(self, name):
                _check_path(name, path, private_tmp=self.private_tmp)
        undoing = sorted(UNDOING & set(self.capabilities or ()))
        if undoing and self.is_isolated:
            raise mistake(
                "capability",
                f"with {undoing[0]} it could undo the rest of its sandbox (remove one of the two)",
            )

    @property
    def is_isolated(self) -> bool:
        """Whether it is kept from a part of the host by namespaces."""
        return bool(self.private_tmp or self.read_only or self.hidden or self.network == "none")

    @property
    def keeps_from_pmond(self) -> bool:
        """Whether it would be worth nothing if the program could have others started outside of it."""
        return self.is_isolated or self.capabilities is not None

    @property
    def wanted(self) -> bool:
        """Whether there is any sandbox."""
        return self.is_isolated or self.no_new_privileges or self.capabilities is not None


def _check_path(name: str, path: str, *, private_tmp: bool) -> None:
    if not path.startswith("/") or "/../" in f"{path}/":
        raise mistake("path", f"`sandbox.{name}` takes absolute paths without .., not {path!r}")
    if name == "hidden" and not path.strip("/."):
        raise mistake("path", "`sandbox.hidden` cannot be all of the host (name folders)")
    if private_tmp and is_temporary(path.rstrip("/")):
        raise mistake(
            "path", f"{path} in `sandbox.{name}` is not there with private_tmp (remove one of the two)"
        )


def is_temporary(path: str) -> bool:
    """Whether it lies where a private /tmp is put."""
    return any(f"{path}/".startswith(f"{top}/") for top in _TEMPORARY)
