"""When pruning is more likely a mistake than an intention: the guards, as one pure question.

A source that says nothing, or suddenly says much less, is what a failed checkout, an empty file
system or a wrong path looks like. Such a manifest is refused as a whole; a person may insist.
"""

from __future__ import annotations

from pmond.core.compare import Comparison
from pmond.core.step import CompareOptions

AT_LEAST = 3
"""So many may always be pruned at once."""
SHARE = 0.5
"""Beyond that, this share of what the owner has."""


def refusal(comparison: Comparison, options: CompareOptions) -> tuple[str, str] | None:
    """Why the prunes of a comparison are refused and what to do, or None."""
    if not options.prune or not comparison.owned:
        return None
    if not comparison.declared and not options.allow_empty:
        return (
            f"it declares nothing, and {comparison.owned} processes of it are there",
            "--allow-empty means that",
        )
    if comparison.pruned > limit(options.prune_limit, comparison.owned):
        return (
            f"{comparison.pruned} of its {comparison.owned} processes would be deleted",
            f"--prune-limit {comparison.pruned} allows it",
        )
    return None


def limit(text: str, owned: int) -> int:
    """How many may be pruned at once: `text` is a number or a share such as 80%.

    Raises ValueError for anything else.
    """
    if not text:
        return max(AT_LEAST, int(owned * SHARE))
    number = text.removesuffix("%")
    if not number.isascii() or not number.isdecimal():
        raise ValueError(f"{text!r} is not a number or a share such as 80%")
    return int(number) if number == text else owned * int(number) // 100
