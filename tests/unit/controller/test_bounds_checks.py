"""What doctor says of sandboxes: what there is, or what is missing for them."""

from __future__ import annotations

import pytest

from pmon3_schema.kernel_calls import Kernel
from pmond.runtime.program.bounds_checks import HostOffer, sandbox_mechanisms


def host(monkeypatch: pytest.MonkeyPatch, uid: int, landlock: int = 7, missing: str = "") -> HostOffer:
    monkeypatch.setattr(Kernel, "landlock_version", lambda self: landlock)
    monkeypatch.setattr(Kernel, "restricts_mounts", lambda self: missing != "mount_setattr")
    capabilities = 0 if missing == "CAP_SYS_ADMIN" else -1
    settings = {missing: "0"}
    return HostOffer(uid, capabilities, lambda name: settings.get(name, ""))


def test_root_needs_landlock_and_the_right_to_make_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox_mechanisms(host(monkeypatch, 0)) == ("namespaces", "")
    said = sandbox_mechanisms(host(monkeypatch, 0, landlock=1))[1]
    assert said == "no Landlock of Linux 5.19: a process with such a sandbox is not started"
    assert "pmond lacks CAP_SYS_ADMIN" in sandbox_mechanisms(host(monkeypatch, 0, missing="CAP_SYS_ADMIN"))[1]
    assert "before Linux 5.12" in sandbox_mechanisms(host(monkeypatch, 0, missing="mount_setattr"))[1]


def test_an_ordinary_user_needs_user_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sandbox_mechanisms(host(monkeypatch, 1000, landlock=0)) == ("user namespaces", "")
    said = sandbox_mechanisms(host(monkeypatch, 1000, missing="kernel.unprivileged_userns_clone"))[1]
    assert "kernel.unprivileged_userns_clone is 0" in said
