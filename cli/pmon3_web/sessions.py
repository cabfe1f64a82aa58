"""Sessions of browsers, and how often a wrong token may be shown. Values and arithmetic; time is an argument.

Theory of operation: a session gets a new random name when a token has been shown, never before, so nobody can
have chosen it. It is as good as its token: revoked or expired, it is over. With it goes a second random text
that the page's own scripts send along, which another site does not know.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass

LONGEST = 12 * 3600.0
"""Seconds after which a session is over, used or not."""
MOST_SESSIONS = 20
"""Of one token: its oldest ends when there are more, and those of others go on."""
MOST_FAILURES, FAILURE_PERIOD = 10, 60.0
"""So many wrong tokens from one address in so many seconds; then it is not listened to."""
_MOST_ADDRESSES = 10_000


@dataclass(frozen=True)
class BrowserSession:
    """Who looks at the page. `token`: the id of what was shown."""

    token: str
    csrf: str
    begun: float


class Sessions:
    """Those that there are, by the name in their cookie."""

    def __init__(self) -> None:
        self._sessions: dict[str, BrowserSession] = {}

    def begin(self, token: str, now: float) -> tuple[str, BrowserSession]:
        """A new one and its name."""
        own = [name for name, one in self._sessions.items() if one.token == token]
        for oldest in own[: len(own) - MOST_SESSIONS + 1]:
            del self._sessions[oldest]
        name = secrets.token_urlsafe(32)
        session = BrowserSession(token, secrets.token_urlsafe(32), now)
        self._sessions[name] = session
        return name, session

    def find(self, name: str, now: float) -> BrowserSession | None:
        """The session of that name, unless it is over."""
        session = self._sessions.get(name)
        if session is not None and now - session.begun > LONGEST:
            del self._sessions[name]
            return None
        return session

    def end(self, name: str) -> None:
        """End it, if there is one of that name."""
        self._sessions.pop(name, None)


class Attempts:
    """Wrong tokens by the address that they came from."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Seconds until a token of this address is looked at again; 0: now."""
        failures = self._failures.get(address)
        if failures is None or len(failures) < MOST_FAILURES:
            return 0.0
        return max(0.0, failures[0] + FAILURE_PERIOD - now)

    def failed(self, address: str, now: float) -> None:
        """One more."""
        failures = self._failures.setdefault(address, deque(maxlen=MOST_FAILURES))
        self._failures.move_to_end(address)
        failures.append(now)
        while len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)
