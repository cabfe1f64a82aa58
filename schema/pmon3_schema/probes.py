"""Probes: how it is found out whether a process is ready to serve, and whether it still lives.

Theory of operation: a probe has exactly one *kind*: a command, a request over HTTP, a connection over
TCP, a line of its own log, systemd's notifications, or nothing but time. What a probe says is declared
here; when one is due and what its results mean is decided in the core; running one is an effect.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Annotated, Any, ClassVar
from urllib.parse import unquote, urlsplit

from pmon3_schema import input_schema
from pmon3_schema.effect import Effect
from pmon3_schema.field_types import Duration, Flag, Part, Text, Whole, Words
from pmon3_schema.fields import Conversion, field, mistake
from pmon3_schema.patterns import compiled
from pmon3_schema.replica_text import filled
from pmon3_schema.scalars import MOST_COUNTED
from pmon3_schema.substituted_text import as_text

_STATUS_RANGE = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?\Z")
_METHOD = re.compile(r"[A-Z]{1,20}\Z")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_SCHEMES = ("http", "https", "http+unix")
_LARGEST_PORT = 65535
_NOT_GIVEN: tuple[Any, ...] = ((), "", False, 0.0)


def parse_statuses(text: str) -> tuple[tuple[int, int], ...]:
    """``200-399`` or ``200,204`` as ranges, both ends included. Raises ValueError."""
    ranges = []
    for word in text.split(","):
        found = _STATUS_RANGE.match(word.strip())
        if found is None or int(found[2] or found[1]) < int(found[1]):
            raise ValueError(f"{text!r} is not a range of status codes (write 200-399, or 200,204)")
        ranges.append((int(found[1]), int(found[2] or found[1])))
    return tuple(ranges)


def parse_address(text: str) -> tuple[str, int]:
    """``db:5432`` or ``5432`` (on the loopback) as host and port. Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not host or not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) <= _LARGEST_PORT:
        raise ValueError(f"{text!r} is not HOST:PORT, nor a port (1 to {_LARGEST_PORT})")
    return host, int(port)


def _status(value: Any) -> Any:
    plain = as_text(value)
    text = str(plain) if isinstance(plain, int) and not isinstance(plain, bool) else plain
    if isinstance(text, str):
        try:
            parse_statuses(text)
        except ValueError as error:
            raise mistake("status", str(error)) from None
    return text


def _address(value: Any) -> Any:
    plain = as_text(value)
    text = str(plain) if isinstance(plain, int) and not isinstance(plain, bool) else plain
    if isinstance(text, str) and text:
        try:
            parse_address(filled(text, 0))
        except ValueError as error:
            raise mistake("address", str(error)) from None
    return text


def _pattern(value: Any) -> Any:
    text = as_text(value)
    if isinstance(text, str) and text:
        try:
            compiled(text)
        except ValueError as error:
            raise mistake("pattern", str(error)) from None
    return text


def _request(value: Any) -> Any:
    """A URL alone stands for a request with all defaults."""
    text = as_text(value)
    return {"url": text} if isinstance(text, str) else value


def check_url(url: str) -> None:
    """Raises a mistake for what no HTTP probe can ask."""
    try:
        parts = urlsplit(url)
        named = parts.hostname if parts.port != 0 else None
    except ValueError:
        raise mistake("url", f"{url!r} is not a URL (write http://127.0.0.1:8080/health)") from None
    if parts.scheme not in _SCHEMES or (parts.scheme != "http+unix" and not named):
        raise mistake("url", f"{url!r} is not a URL of {', '.join(_SCHEMES)} (http://127.0.0.1:8080/health)")
    if parts.username is not None:
        raise mistake(
            "url", "a URL with a name and a password is shown to everybody (use headers: Authorization)"
        )
    if parts.scheme == "http+unix" and not unquote(parts.netloc).startswith("/"):
        raise mistake(
            "url", f"{url!r} names no socket (write http+unix://%2Frun%2Fapp.sock/health, its slashes as %2F)"
        )
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise mistake("url", f"{url!r} has spaces or other characters that a URL must spell with %")


class HttpProbeSpec(Part, frozen=True):
    """A request, and which answers pass. Redirects are not followed, proxies not used."""

    needs_one_of: ClassVar[tuple[str, ...]] = ("url",)

    url: Text = field(
        "",
        effect=Effect.IN_PLACE,
        description="what is asked: http://…, https://…, or http+unix://%2Frun%2Fapp.sock/path",
    )
    method: Text = field("GET", effect=Effect.IN_PLACE, description="the method of the request")
    headers: dict[Text, Text] = field(
        {}, effect=Effect.IN_PLACE, description="headers besides Host and Connection"
    )
    status: Annotated[str, Conversion(_status, input_schema.STATUSES)] = field(
        "200-399", effect=Effect.IN_PLACE, description="status codes that pass: ranges, with commas"
    )
    body: Annotated[str, Conversion(_pattern)] = field(
        "", effect=Effect.IN_PLACE, description="a regular expression found in the first 64 KiB of the answer"
    )
    insecure: Flag = field(False, effect=Effect.IN_PLACE, description="take any certificate (https)")

    @property
    def is_local(self) -> bool:
        """Whether it asks a socket of the file system."""
        return urlsplit(self.url).scheme == "http+unix"

    def check(self, given: Set[str]) -> None:
        if not self.url:
            raise mistake("url", "the request needs a url (write http://127.0.0.1:8080/health)")
        check_url(filled(self.url, 0))
        if not _METHOD.match(self.method):
            raise mistake("method", f"{self.method!r} is not a method (write GET or HEAD)")
        for name, value in self.headers.items():
            if not _HEADER.match(name) or any(character < " " and character != "\t" for character in value):
                raise mistake("header", f"{name!r} is not a header, or its value has control characters")


class ProbeSpec(Part, frozen=True):
    """What all probes have in common. Exactly one of the kinds is given."""

    needs_one_of: ClassVar[tuple[str, ...]] = ("exec", "http", "tcp", "notify")

    exec: Words = field(
        (),
        effect=Effect.IN_PLACE,
        description="a command that exits with 0, run as the process's user in its folder, with $MAINPID",
    )
    http: Annotated[HttpProbeSpec, Conversion(_request, input_schema.URL, beside=True)] = field(
        HttpProbeSpec(), effect=Effect.IN_PLACE, description="a request: a URL, or a map with a url"
    )
    tcp: Annotated[str, Conversion(_address, input_schema.ADDRESS)] = field(
        "", effect=Effect.IN_PLACE, description="HOST:PORT, or a port of the loopback, that takes connections"
    )
    notify: Flag = field(
        False, effect=Effect.IN_PLACE, description="the program says so itself (systemd's sd_notify)"
    )
    interval: Duration = field(1.0, effect=Effect.IN_PLACE, description="from one try to the next")
    timeout: Duration = field(1.0, effect=Effect.IN_PLACE, description="how long one try may take")

    @property
    def kind(self) -> str:
        """The word for what it does; empty: there is no probe.

        Asked several times in every decision, mostly where there is none: so it goes through no table.
        """
        return _common_kind(self)

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds that are given."""
        return tuple(
            kind
            for kind in self.needs_one_of
            if getattr(self, kind) not in _NOT_GIVEN and getattr(self, kind) != HttpProbeSpec()
        )

    @property
    def uses_network(self) -> bool:
        """Whether it asks by way of the network."""
        by_file = self.kind == "http" and self.http.url.lower().startswith("http+unix:")
        return self.kind in ("tcp", "http") and not by_file

    def check(self, given: Set[str]) -> None:
        kinds = self.kinds
        if len(kinds) != 1:
            found = f", not {' and '.join(kinds)}" if kinds else ""
            raise mistake("probe", f"a probe has exactly one of {', '.join(self.needs_one_of)}{found}")


def _common_kind(probe: ProbeSpec) -> str:
    if probe.exec:
        return "exec"
    if probe.http.url:
        return "http"
    if probe.tcp:
        return "tcp"
    return "notify" if probe.notify else ""


class ReadySpec(ProbeSpec, frozen=True):
    """When a process is ready to serve: until then it is `init`, and who depends on it waits."""

    needs_one_of: ClassVar[tuple[str, ...]] = (*ProbeSpec.needs_one_of, "log", "delay")

    log: Annotated[str, Conversion(_pattern)] = field(
        "", effect=Effect.IN_PLACE, description="a regular expression that a line which it writes matches"
    )
    delay: Duration = field(
        0.0, effect=Effect.IN_PLACE, description="nothing but time: ready when it has lived this long"
    )
    successes: Whole = field(
        1,
        effect=Effect.IN_PLACE,
        ge=1,
        le=MOST_COUNTED,
        description="passes in a row after which it is ready",
    )
    failures: Whole = field(
        3,
        effect=Effect.IN_PLACE,
        ge=1,
        le=MOST_COUNTED,
        description="failures in a row after which it is not, until it passes",
    )
    deadline: Duration = field(
        60.0, effect=Effect.IN_PLACE, description="not ready after this time is a failed start; 0: no limit"
    )

    @property
    def kind(self) -> str:
        """The same, of more kinds."""
        if self.log:
            return "log"
        return "delay" if self.delay else _common_kind(self)


class LiveSpec(ProbeSpec, frozen=True):
    """Whether a process still does its work: when it does not, it is stopped and started again."""

    interval: Duration = field(10.0, effect=Effect.IN_PLACE, description="from one try to the next")
    timeout: Duration = field(2.0, effect=Effect.IN_PLACE, description="how long one try may take")
    failures: Whole = field(
        3,
        effect=Effect.IN_PLACE,
        ge=1,
        le=MOST_COUNTED,
        description="failures in a row after which it is replaced",
    )
    start_period: Duration = field(
        30.0,
        effect=Effect.IN_PLACE,
        description="failures in this time after the first readiness do not count",
    )
