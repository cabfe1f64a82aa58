"""Specifiers of systemd, one by one: what each means in a unit of the system and in one of a user."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from pmon3.converting.settings import NotCarried
from pmon3.converting.specifiers import Specifiers, unescape

HOME = str(Path("~").expanduser())
HOST = os.uname()
UNIT = "shop-web\\x2dapi@eu-west\\x2d1.service"
BOTH = {
    "%": "%",
    "n": UNIT,
    "N": "shop-web\\x2dapi@eu-west\\x2d1",
    "p": "shop-web\\x2dapi",
    "P": "shop/web-api",
    "i": "eu-west\\x2d1",
    "I": "eu/west-1",
    "j": "web\\x2dapi",
    "J": "web-api",
    "f": "/eu/west-1",
    "H": HOST.nodename,
    "l": HOST.nodename.split(".")[0],
    "v": HOST.release,
    "T": "/tmp",
    "V": "/var/tmp",
}
SYSTEM = {
    "h": "/root", "u": "root", "U": "0", "g": "root", "G": "0",
    "t": "/run", "S": "/var/lib", "C": "/var/cache", "L": "/var/log", "E": "/etc",
}  # fmt: skip
USER = {
    "h": HOME, "U": str(os.getuid()), "G": str(os.getgid()), "t": f"/run/user/{os.getuid()}",
    "S": f"{HOME}/.local/state", "C": f"{HOME}/.cache", "L": f"{HOME}/.local/state/log",
    "E": f"{HOME}/.config",
}  # fmt: skip
ONLY_SYSTEMD_KNOWS = "AbBdmMoqswWyY"


@pytest.mark.parametrize(("letter", "meaning"), (BOTH | SYSTEM).items())
def test_in_a_unit_of_the_system(letter: str, meaning: str) -> None:
    assert Specifiers(UNIT, is_user_manager=False).expand(f"<%{letter}>") == f"<{meaning}>"


@pytest.mark.parametrize(("letter", "meaning"), (BOTH | USER).items())
def test_in_a_unit_of_a_user(letter: str, meaning: str) -> None:
    assert Specifiers(UNIT, is_user_manager=True).expand(f"<%{letter}>") == f"<{meaning}>"


@pytest.mark.parametrize("letter", ONLY_SYSTEMD_KNOWS)
def test_what_only_systemd_knows_is_told(letter: str) -> None:
    with pytest.raises(NotCarried, match=f"only systemd knows %{letter}"):
        Specifiers(UNIT, is_user_manager=False).expand(f"%{letter}")


@pytest.mark.parametrize(
    ("machine", "called"),
    [("x86_64", "x86-64"), ("aarch64", "arm64"), ("i686", "x86"), ("riscv64", "riscv64")],
)
def test_architectures_are_called_as_systemd_calls_them(
    machine: str, called: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert Specifiers(UNIT, is_user_manager=False).expand("%a") == called


def test_a_unit_without_instance() -> None:
    known = Specifiers("web.service", is_user_manager=False)
    assert known.expand("[%i] [%I] %p %N %f") == "[] [] web web /web"


def test_escapes_are_bytes_of_a_text() -> None:
    assert unescape("caf\\xc3\\xa9") == "café"
