"""What a cluster needs to know beside: in which image the program is, and which ports it serves.

Nothing of it counts on one host: it is kept, exported, and used where a manifest goes to a cluster.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated, Any, Literal

from pmon3_schema import input_schema
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import FromText, Part, Text, Whole
from pmon3_schema.fields import Conversion, field, mistake
from pmon3_schema.substituted_text import as_whole

_LARGEST_PORT = 65535


def _ports(value: Any) -> Any:
    for port in value if isinstance(value, list | tuple) else ():
        number = as_whole(port)
        if isinstance(number, int) and not 0 < number <= _LARGEST_PORT:
            raise mistake("port", f"a port is a number from 1 to {_LARGEST_PORT}")
    return tuple(value) if isinstance(value, list) else value


Ports = Annotated[tuple[Whole, ...], Conversion(_ports, input_schema.PORTS)]


class ContainerSpec(Part, frozen=True):
    """The container that it is on a cluster."""

    image: Text = field(
        "", effect=Effect.NONE, description="the image that has the program: registry/name:tag"
    )
    ports: Ports = field((), effect=Effect.NONE, description="TCP ports that it serves")
    pull_policy: Annotated[Literal["", "always", "if-not-present", "never"], FromText] = field(
        "", effect=Effect.NONE, description="when the image is fetched; what the cluster does by default"
    )

    def check(self, given: Set[str]) -> None:
        if len(set(self.ports)) != len(self.ports):
            raise mistake("port", "a port is named twice")
