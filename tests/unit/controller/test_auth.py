"""Who may do what: the policy is a pure function of the caller and the process."""

from __future__ import annotations

import os
import pwd
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmond.runtime.access import auth
from pmond.runtime.access.auth import Peer

ROOT = Peer(1, 0, 0)
NOBODY = Peer(2, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
STAFF = 4711
MEMBER = Peer(3, NOBODY.uid, NOBODY.gid, frozenset({STAFF}))

uids = st.integers(0, 5)
peers = st.builds(Peer, st.just(9), uids, uids, st.frozensets(uids))


def test_peer_of_is_this_process() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = auth.peer_of(theirs)
    assert (peer.pid, peer.uid, peer.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert peer.groups == frozenset(os.getgroups())


def test_a_user_without_a_name_is_shown_by_number() -> None:
    assert Peer(1, 0, 0).user == "root"
    assert Peer(1, 3_999_999_999, 0).user == "3999999999"


@given(peers, st.none() | uids, uids)
def test_others_control_only_what_runs_as_themselves(peer: Peer, process: int | None, daemon: int) -> None:
    allowed = auth.may_control(peer, process, daemon)
    if peer.uid in (0, daemon):
        assert allowed
    else:
        assert allowed == (daemon == 0 and process == peer.uid)


@given(peers, uids)
def test_a_daemon_that_is_not_root_serves_itself_and_root_only(peer: Peer, daemon: int) -> None:
    assert auth.may_connect(peer, daemon) == (daemon == 0 or peer.uid in (0, daemon))


@given(peers, uids, uids)
def test_nobody_but_root_submits_as_somebody_else(peer: Peer, user: int, daemon: int) -> None:
    if auth.may_submit(peer, str(user), daemon):
        runs_as = {user}
        assert runs_as <= {peer.uid} or peer.uid == 0 or (peer.uid == daemon != 0 and user == daemon)
    if daemon != 0 and user != daemon:
        assert not auth.may_submit(peer, str(user), daemon)


@pytest.mark.parametrize(
    ("peer", "user", "allowed"),
    [
        (ROOT, "nobody", True),
        (NOBODY, "", True),
        (NOBODY, "nobody", True),
        (NOBODY, str(NOBODY.uid), True),
        (NOBODY, "root", False),
        (NOBODY, "0", False),
        (NOBODY, "no-such-user", False),
        (MEMBER, "root", False),
    ],
)
def test_submitting_to_root(peer: Peer, user: str, allowed: bool) -> None:
    assert auth.may_submit(peer, user, daemon_uid=0) is allowed


def test_default_user() -> None:
    assert auth.default_user(NOBODY, daemon_uid=0) == "nobody"
    assert auth.default_user(ROOT, daemon_uid=NOBODY.uid) == "nobody"


def test_members_of_the_control_group_control_everything() -> None:
    assert auth.may_control(MEMBER, 0, 0, STAFF)
    assert auth.may_read_secrets(MEMBER, 0, 0, STAFF)
    assert auth.may_control(Peer(4, NOBODY.uid, STAFF), 0, 0, STAFF)
    assert not auth.may_control(NOBODY, 0, 0, STAFF)
    assert not auth.may_control(MEMBER, 0, 0)


def test_uid_of() -> None:
    assert auth.uid_of("", 7) == 7
    assert auth.uid_of("nobody", 7) == NOBODY.uid
    assert auth.uid_of("12345", 7) == 12345
    assert auth.uid_of("no-such-user", 7) is None


def test_masking_shows_names_and_hides_values() -> None:
    spec = {"file": "x", "env_vars": {"TOKEN": "secret"}}
    assert auth.masked(spec) == {"file": "x", "env_vars": {"TOKEN": "***"}}
    assert spec["env_vars"] == {"TOKEN": "secret"}
    assert auth.masked({"env_vars": "TOKEN=secret"}) == {"env_vars": "***"}


@pytest.mark.parametrize("path", ["/env_vars", "/env_vars/TOKEN", "/env_vars/A~1B"])
def test_masking_a_plan(path: str) -> None:
    value = {"TOKEN": "secret"} if path == "/env_vars" else "secret"
    action = {"name": "web", "changes": [{"path": path, "before": None, "after": value}]}
    assert "secret" not in str(auth.masked_action(action))
    other = {"changes": [{"path": "/cwd", "before": "/a", "after": "/b"}]}
    assert auth.masked_action(other) == other
