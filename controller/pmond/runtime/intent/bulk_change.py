"""The same change of many processes, as one unit.

Theory of operation: of few it is an `edit`. Of many a thread drafts the records, from what is declared at
one moment, and the rows are written over several turns of the loop, like those of a large manifest. If
something else was declared meanwhile, the processes are chosen again and drafted again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pmond.core.model import Intent
from pmond.runtime.base.long_work import MANY, in_thread, release
from pmond.runtime.intent.edit import Drafted, Edit
from pmond.runtime.intent.registry import Registry

TRIES = 3
"""Before what others declare all the time is held up for once."""

Choose = Callable[[], Sequence[Intent]]
"""The processes, as they are now. Raises PmonError; then nothing was changed."""
Write = Callable[[Edit, Sequence[Intent]], list[Intent]]
"""Puts what they are to be into the edit, and answers it. In a thread perhaps; raises PmonError."""


async def change_all(registry: Registry, what: str, choose: Choose, write: Write) -> list[Intent]:
    """Change the chosen processes together; what they are afterwards."""
    for _ in range(TRIES):
        chosen = choose()
        if len(chosen) < MANY:
            break
        version, drafted = registry.version, registry.draft()
        changed = await in_thread(_draft, drafted, chosen, write, dict(registry.processes))
        if await registry.carry_out_in_turns(drafted, version, what, lambda edit: None):
            release(chosen)
            return changed
    chosen = choose()
    with registry.edit(what) as edit:
        return write(edit, chosen)


def _draft(
    drafted: Drafted, chosen: Sequence[Intent], write: Write, processes: Mapping[str, Intent]
) -> list[Intent]:
    changed = write(drafted, chosen)
    drafted.settle(processes)
    return changed
