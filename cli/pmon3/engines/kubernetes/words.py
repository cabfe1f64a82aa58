"""Words of commands as Kubernetes hands them on: it fills in `$(NAME)`, and takes `$$` for `$`."""

from __future__ import annotations

import re

_MEANT = re.compile(r"\$(?=[$(])")


def escaped(text: str) -> str:
    """The text that arrives as this one."""
    return _MEANT.sub("$$", text)
