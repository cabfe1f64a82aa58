"""Roles of tokens, and what a role may do."""

from __future__ import annotations

from enum import IntEnum


class PageRole(IntEnum):
    """Each may do what those before it may."""

    VIEWER = 1
    """Looks; nothing that may be secret: no arguments, values of variables, logs."""
    OPERATOR = 2
    """Also starts, stops and restarts."""
    ADMINISTRATOR = 3
    """Also reads logs and secrets, applies and rolls back: all that the user of the page may."""

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def sees_secrets(self) -> bool:
        return self is PageRole.ADMINISTRATOR


ROLES = {role.word: role for role in PageRole}
