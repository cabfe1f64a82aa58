"""What objects of Kubernetes are called: names of its form, each once in a manifest.

Theory of operation: a process whose name has the form keeps it, whatever else there is; one whose name had
to be changed gets what is left of it, and where another is called so already, a few characters of a digest
of its own name behind it. So a name depends on the names alone, never on their order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping

LONGEST = 63
"""Characters of the value of a label, which the name of each object is too."""
LONGEST_CRON_JOB = 52
"""Its controller adds eleven characters for each of its jobs."""
_DIGEST = 6


def object_names(processes: Mapping[str, int]) -> dict[str, str]:
    """For each name of a process that of its object; `processes` says how long each may be."""
    proposed = {name: _proposed(name, longest) for name, longest in processes.items()}
    times = Counter(proposed.values())
    return {
        name: found if name == found or times[found] == 1 else _told_apart(name, processes[name])
        for name, found in proposed.items()
    }


def _proposed(name: str, longest: int) -> str:
    """The nearest name of the form: small letters and digits, with `-` and `.` between them."""
    labels = re.sub(r"[^a-z0-9.-]", "-", name.lower()).split(".")
    plain = ".".join(label for label in (one.strip("-") for one in labels) if label)
    return plain[:longest].strip("-.") or "process"


def _told_apart(name: str, longest: int) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{_proposed(name, longest - _DIGEST - 1)}-{digest}"
