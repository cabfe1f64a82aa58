"""Durations, sizes and signals as people write them in manifests and on the command line."""

from __future__ import annotations

import re
import signal

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DIGITS = "[0-9]+(?:_[0-9]+)*"
SECONDS_PATTERN = rf"\+?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?[0-9]{{1,3}})?"
UNITS_PATTERN = r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+"
"""Durations as text, without units and with them; the JSON Schema says them too."""
_SECONDS = re.compile(rf"{SECONDS_PATTERN}\Z")
_DURATION = re.compile(rf"{UNITS_PATTERN}\Z")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
LONGEST_DURATION = 36_500 * 86400.0
"""Seconds, of everything that is waited for: a hundred years, of which the calendar can still say the end."""

_UNIT_BYTES = {
    "": 1, "B": 1,
    "K": 1024, "KB": 1000, "KIB": 1024,
    "M": 1024**2, "MB": 1000**2, "MIB": 1024**2,
    "G": 1024**3, "GB": 1000**3, "GIB": 1024**3,
    "T": 1024**4, "TB": 1000**4, "TIB": 1024**4,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)[ \t]*([A-Za-z]*)\Z")
LARGEST_SIZE = 2**63 - 1
"""Bytes, of a limit and of a file; what the kernel keeps a number in."""
MOST_REPLICAS = 1000
"""Processes that one entry may stand for."""
MOST_COUNTED = 1_000_000
"""Failures, successes, files that are kept."""
LARGEST_EXIT_CODE = 255
"""What is left of an exit status in wait(2)."""


def parse_duration(value: str | int | float) -> float:
    """Seconds in ``500ms``, ``10s``, ``1m30s``, ``1h`` or a plain number of seconds.

    Raises ValueError when the text is none of these, or the value is negative or beyond LONGEST_DURATION.
    """
    if isinstance(value, bool):
        raise ValueError("a duration is a number of seconds or text such as 500ms, 10s, 5m")
    try:
        seconds = float(value) if isinstance(value, int | float) else _seconds(value.strip())
    except OverflowError:
        seconds = float("inf")
    if seconds is None:
        raise ValueError(f"{value!r} is not a duration (write 500ms, 10s, 5m or 1h)")
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{value!r} is not a duration (it must be finite and not negative)")
    if seconds > LONGEST_DURATION:
        raise ValueError(f"{value!r} is too long a duration (100 years, 36500d, is the longest)")
    return seconds


def _seconds(text: str) -> float | None:
    if _DURATION.match(text):
        return sum(float(n) * _UNIT_SECONDS[unit] for n, unit in _DURATION_PART.findall(text))
    return float(text) if _SECONDS.match(text) else None


def format_duration(seconds: float) -> str:
    """The shortest of the accepted spellings: ``500ms``, ``10s``, ``1m30s``, ``2h``."""
    milliseconds = round(seconds * 1000)
    if milliseconds % 1000:
        return f"{milliseconds}ms" if milliseconds < 1000 else f"{milliseconds / 1000:g}s"
    left, parts = milliseconds // 1000, []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def parse_size(value: str | int) -> int:
    """Bytes in ``64MiB``, ``10MB``, ``512K`` (K, M, G, T are powers of 1024) or a plain number.

    Raises ValueError when the text is none of these.
    """
    if isinstance(value, bool | float):
        raise ValueError("a size is a whole number of bytes or text such as 64MiB")
    if isinstance(value, int):
        size = value
    else:
        found = _SIZE.match(value.strip())
        if not found or found[2].upper() not in _UNIT_BYTES:
            raise ValueError(f"{value!r} is not a size (write 4096, 512K, 64MiB or 10MB)")
        size = _times(found[1], _UNIT_BYTES[found[2].upper()])
    if not 0 <= size <= LARGEST_SIZE:
        raise ValueError(f"{value!r} is not a size (it must not be negative, and less than 2^63 bytes)")
    return size


def format_size(size: int) -> str:
    """Bytes for people, with one decimal at most: ``300 MiB``, ``1.5 GiB``, ``17 bytes``."""
    amount, units = float(size), ["KiB", "MiB", "GiB", "TiB", "PiB"]
    unit = "bytes"
    while amount >= 1024 and units:
        amount, unit = amount / 1024, units.pop(0)
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"


def _times(number: str, unit: int) -> int:
    size = float(number) * unit
    return int(size) if size <= LARGEST_SIZE else LARGEST_SIZE + 1


def parse_signal(value: str | int) -> int:
    """The number of a signal given as ``SIGTERM``, ``TERM``, ``term`` or ``15``.

    Raises ValueError when this system has no such signal.
    """
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return int(signal.Signals(value))
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(signal.Signals(int(value)))
        if isinstance(value, str):
            name = value.upper()
            return int(signal.Signals[name if name.startswith("SIG") else f"SIG{name}"])
    except (KeyError, ValueError):
        pass
    raise ValueError(f"{value!r} is not a signal (write a name such as SIGTERM or a number)")


def signal_name(number: int) -> str:
    """``SIGTERM`` for 15; ``signal 64`` for numbers without a name (real-time signals)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
