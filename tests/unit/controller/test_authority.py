"""Who may do what: the policy is a pure function of the caller, the rules and whose it is."""

from __future__ import annotations

import os
import pwd
import socket
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_daemon import process

from pmon3_schema.answers import Change, PlannedAction
from pmon3_schema.errors import PmonError
from pmon3_schema.masking import masked, masked_action, masked_row
from pmon3_schema.program_words import without_words
from pmon3_schema.settings import AccessSettings
from pmon3_schema.status import ProcessStatus
from pmond.runtime.access import users
from pmond.runtime.access.authority import RIGHTS, AccessRules, Authority, Right, Role
from pmond.runtime.access.principal import Principal, principal_of
from pmond.runtime.access.rules import rules_of

ROOT = Principal(1, 0, 0)
NOBODY = Principal(2, pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
STAFF = 4711
MEMBER = Principal(3, NOBODY.uid, NOBODY.gid, frozenset({STAFF}))
SYSTEM = Authority(0)
WITH_STAFF = Authority(0, AccessRules(administrator_groups=frozenset({STAFF})))

uids = st.integers(0, 5)
principals = st.builds(Principal, st.just(9), uids, uids, st.frozensets(uids))
sets_of_uids = st.frozensets(uids, max_size=2)
rules = st.builds(
    AccessRules, sets_of_uids, sets_of_uids, sets_of_uids, sets_of_uids, sets_of_uids, sets_of_uids,
    st.just(()), st.booleans(),
)  # fmt: skip
authorities = st.builds(Authority, uids, rules)


def test_the_kernel_says_who_asks() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        principal = principal_of(theirs)
    assert (principal.pid, principal.uid, principal.gid) == (os.getpid(), os.getuid(), os.getgid())
    assert principal.groups == frozenset(os.getgroups())


def test_a_user_without_a_name_is_shown_by_number() -> None:
    assert Principal(1, 0, 0).user == "root"
    assert Principal(1, 3_999_999_999, 0).user == "3999999999"


@given(principals, authorities, uids | st.none(), st.sampled_from(Right))
def test_owners_may_everything_and_strangers_nothing(
    principal: Principal, authority: Authority, whose: int | None, right: Right
) -> None:
    allowed = authority.may(principal, right, whose)
    if principal.uid in (0, authority.daemon_uid):
        assert allowed
    if authority.role(principal) is Role.STRANGER:
        assert not allowed


@given(principals, authorities, uids)
def test_nobody_changes_what_runs_as_somebody_else(
    principal: Principal, authority: Authority, whose: int
) -> None:
    """Whoever changes a process has something run as its user."""
    if authority.may(principal, Right.CHANGE, whose):
        assert principal.uid in (0, whose) or principal.uid == authority.daemon_uid


@given(principals, authorities, uids | st.none(), st.sampled_from(Right))
def test_a_named_role_only_adds(
    principal: Principal, authority: Authority, whose: int | None, right: Right
) -> None:
    plain = Authority(authority.daemon_uid, AccessRules(is_open=authority.rules.is_open))
    assert plain.may(principal, right, whose) <= authority.may(principal, right, whose)


@given(principals, uids)
def test_a_daemon_that_is_not_root_serves_itself_and_root_only(principal: Principal, daemon: int) -> None:
    stranger = Authority(daemon).role(principal) is Role.STRANGER
    assert stranger == (daemon != 0 and principal.uid not in (0, daemon))


@given(principals, authorities, uids)
def test_nobody_but_root_runs_programs_as_somebody_else(
    principal: Principal, authority: Authority, user: int
) -> None:
    if authority.may_run_as(principal, user):
        assert principal.uid == user or principal.uid == 0 or user == authority.daemon_uid
    if authority.daemon_uid not in (0, user):
        assert not authority.may_run_as(principal, user)


@pytest.mark.parametrize(
    ("principal", "user", "allowed"),
    [
        (ROOT, "nobody", True), (ROOT, "root", True), (NOBODY, "nobody", True),
        (NOBODY, str(NOBODY.uid), True),
        (NOBODY, "", False), (NOBODY, "root", False), (NOBODY, "0", False), (NOBODY, "00", False),
        (NOBODY, "no-such-user", False), (MEMBER, "root", False), (MEMBER, "", False),
    ],
)  # fmt: skip
def test_submitting_to_root(principal: Principal, user: str, allowed: bool) -> None:
    if allowed:
        WITH_STAFF.check_submit(principal, "web", user)
    else:
        with pytest.raises(PmonError, match="cannot run web"):
            WITH_STAFF.check_submit(principal, "web", user)


def test_who_submits_is_the_user_of_a_spec_that_names_none() -> None:
    assert SYSTEM.default_user(NOBODY) == "nobody"
    assert SYSTEM.default_user(None) == SYSTEM.default_user(ROOT) == "root"
    assert Authority(NOBODY.uid).default_user(ROOT) == "nobody"


def test_the_control_group_operates_what_others_run_and_changes_none_of_it() -> None:
    for right in (Right.OPERATE, Right.READ_SECRETS, Right.ADMINISTER, Right.CONTROL_SET):
        assert WITH_STAFF.may(MEMBER, right, 0)
        assert WITH_STAFF.may(Principal(4, NOBODY.uid, STAFF), right, 0)
        assert not WITH_STAFF.may(NOBODY, right, 0)
    assert not WITH_STAFF.may(MEMBER, Right.CHANGE, 0)
    assert WITH_STAFF.may(MEMBER, Right.CHANGE, NOBODY.uid)


def test_root_names_as_whom_an_administrator_may_have_programs_run() -> None:
    given = AccessSettings(administrators=("nobody",), run_as={"nobody": ("daemon",)})
    authority = Authority(0, rules_of(given, "", pytest.fail))
    daemon = pwd.getpwnam("daemon").pw_uid
    assert authority.may_run_as(NOBODY, daemon) and authority.may(NOBODY, Right.CHANGE, daemon)
    assert not authority.may_run_as(NOBODY, 0) and not authority.may(NOBODY, Right.CHANGE, 0)
    only_named = Authority(0, rules_of(AccessSettings(run_as={"nobody": ("daemon",)}), "", pytest.fail))
    assert not only_named.may_run_as(NOBODY, daemon)


def test_a_closed_pmond_knows_those_that_it_names() -> None:
    told: list[str] = []
    given = AccessSettings(open=False, viewers=("nobody", "@no-such-group", "no-such-user"))
    authority = Authority(0, rules_of(given, "", told.append))
    assert authority.role(NOBODY) is Role.VIEWER
    assert authority.role(Principal(5, 4321, 4321)) is Role.STRANGER
    assert len(told) == 2


def test_every_role_has_its_row_and_no_role_more_over_others_than_over_its_own() -> None:
    assert set(RIGHTS) == set(Role)
    assert all(others <= own for own, others in RIGHTS.values())


def test_a_user_is_read_in_one_way() -> None:
    assert users.uid_of("nobody") == NOBODY.uid
    assert users.uid_of("12345") == 12345
    for wrong in ("no-such-user", "-1", "4294967295", "9" * 5000, "\u0661", "", "a\0b", "1 "):
        assert users.uid_of(wrong) is None


def test_an_account_of_digits_is_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not the one that has this number (H5)."""
    real = pwd.getpwnam
    other = pwd.struct_passwd(("1002", "x", 5005, 5005, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: other if name == "1002" else real(name))
    found = users.account_of("1002")
    assert users.uid_of("1002") == 5005
    assert found is not None and found.pw_uid == 5005


def test_masking_shows_names_and_hides_values() -> None:
    spec = {"file": "x", "args": ["-p", "hunter2"], "env_vars": {"TOKEN": "secret"}}
    assert masked(spec) == {"file": "x", "args": ["***", "***"], "env_vars": {"TOKEN": "***"}}
    assert spec["env_vars"] == {"TOKEN": "secret"}
    assert masked({"env_vars": "TOKEN=secret"}) == {"env_vars": "***"}
    assert masked({"reload": {"command": ["curl", "sekret"]}}) == {"reload": {"command": "***"}}
    row = cast(ProcessStatus, process(1, "web", args=["a"]))
    assert masked_row(row) == {**row, "args": ["***"]}


FAILED = "unhealthy: its live probe failed 3 times in a row"


@pytest.mark.parametrize(
    "sentence",
    [
        "not ready within 1m 5s",
        FAILED,
        f"waiting for db, which failed: {FAILED}",
        "not ready yet",
        "not ready",
        "asked to end: not ready within 5s",
        "ready",
    ],
)
@pytest.mark.parametrize("words", ["x", "not ready: x", "x\ny; it is not restarted"])
def test_masking_what_a_program_has_said(sentence: str, words: str) -> None:
    assert without_words(f"{sentence}: {words}") == f"{sentence}: ***"
    assert without_words(sentence) == sentence


def planned(change: Change) -> PlannedAction:
    return {
        "action": "restart", "name": "web", "effect": "restart", "changes": [change], "causes": [], "wave": 0,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/env_vars", "/env_vars/TOKEN", "/env_vars/A~1B", "/args", "/args/1"])
def test_masking_a_plan(path: str) -> None:
    value = {"TOKEN": "secret"} if path == "/env_vars" else "secret"
    action = planned({"path": path, "before": None, "after": value, "effect": "restart"})
    assert "secret" not in str(masked_action(action))
    other = planned({"path": "/cwd", "before": "/a", "after": "/b", "effect": "restart"})
    assert masked_action(other) == other
