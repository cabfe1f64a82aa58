"""What becomes of what runs when the state is lost, decided from values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pmond.core.free_name import free_name
from pmond.core.recovery import Bearer, Claimable, Decided, Fate, Found, RecoveryTerms, decide, main_of

ROOT, ALICE, BOB = 0, 1001, 1002
NAMES = {ROOT: "root", ALICE: "alice", BOB: "bob"}
LOST = RecoveryTerms(lost=True, own_uid=ROOT, most_per_user=2)
WHOLE = RecoveryTerms(lost=False, own_uid=ROOT, most_per_user=2)
DECLARED = {"web": Claimable("h1:a", frozenset({ROOT}))}


def bearer(
    pid: int, uid: int = ROOT, *, leads: bool = True, proven: bool = False, revision: str = ""
) -> Bearer:
    return Bearer(pid, uid, NAMES[uid], leads, proven, revision)


def found(name: str, number: int, *bearers: Bearer, recorded: str | None = None) -> Found:
    return Found(name, number, bearers, recorded)


def only(decisions: list[Decided]) -> Decided:
    (decision,) = decisions
    return decision


def test_what_is_declared_is_adopted_and_its_restart_is_put_off_only_where_it_differs() -> None:
    same = only(decide([found("web", 3, bearer(7, revision="h1:a"))], DECLARED, LOST))
    assert (same.fate, same.name, same.deferred) == (Fate.ADOPT, "web", False)
    assert same.main is not None and same.main.pid == 7
    for shown in ("h1:b", ""):
        assert only(decide([found("web", 3, bearer(7, revision=shown))], DECLARED, LOST)).deferred


def test_what_a_main_program_has_left_is_cleared_and_nothing_is_put_off() -> None:
    decision = only(decide([found("web", 3, bearer(7, leads=False))], DECLARED, LOST))
    assert (decision.fate, decision.main, decision.deferred) == (Fate.ADOPT, None, False)


def test_what_is_declared_by_another_name_now_is_not_started_beside_itself() -> None:
    renamed = {"api": Claimable("h1:a", frozenset({ROOT}), renamed_from="web")}
    decision = only(decide([found("web", 3, bearer(7, revision="h1:a"))], renamed, LOST))
    assert (decision.fate, decision.name) == (Fate.ADOPT, "api")
    both = decide(
        [found("web", 3, bearer(7, revision="h1:a")), found("api", 1, bearer(8, revision="h1:a"))],
        renamed, LOST,
    )  # fmt: skip
    assert [(one.found.name, one.fate, one.name) for one in both] == [
        ("web", Fate.DECLARE, "web"),
        ("api", Fate.ADOPT, "api"),
    ]


def test_a_whole_state_has_what_it_does_not_know_end() -> None:
    assert only(decide([found("gone", 3, bearer(7))], DECLARED, WHOLE)).fate is Fate.END
    assert only(decide([found("gone", 3, bearer(7))], DECLARED, LOST)).fate is Fate.DECLARE
    damaged = found("gone", 3, bearer(7, proven=True), recorded="h1:c")
    assert only(decide([damaged], DECLARED, WHOLE)).fate is Fate.DECLARE


def test_nobody_takes_the_name_of_a_declared_process_by_saying_it() -> None:
    claim = found("web", 9, bearer(66, ALICE, revision="h1:a"))
    real = found("web", 3, bearer(7, revision="h1:a"))
    decisions = {one.found.number: one for one in decide([claim, real], DECLARED, LOST)}
    assert (decisions[3].fate, decisions[3].name) == (Fate.ADOPT, "web")
    assert (decisions[9].fate, decisions[9].name) == (Fate.DECLARE, "web~alice")
    assert only(decide([claim], DECLARED, WHOLE)).fate is Fate.END


def test_of_several_that_claim_one_run_the_proven_then_pmonds_own_is_believed() -> None:
    mixed = found("job", 4, bearer(66, ALICE), bearer(7, ROOT))
    decision = only(decide([mixed], {}, LOST))
    assert decision.main is not None and decision.main.pid == 7
    proven = found("job", 4, bearer(66, ALICE), bearer(7, ROOT), bearer(8, BOB, proven=True))
    decision = only(decide([proven], {}, LOST))
    assert decision.main is not None and decision.main.pid == 8


def test_a_later_number_gives_nobody_the_place_of_what_is_roots() -> None:
    decisions = decide([found("job", 999, bearer(66, ALICE)), found("job", 4, bearer(7, ROOT))], {}, LOST)
    assert [(one.found.number, one.name) for one in decisions] == [(4, "job"), (999, "job~alice")]


def test_what_an_earlier_run_has_left_is_not_declared_a_second_time() -> None:
    later, earlier = decide([found("job", 3, bearer(7)), found("job", 4, bearer(8))], {}, LOST)
    assert (later.found.number, later.fate) == (4, Fate.DECLARE)
    assert (earlier.found.number, earlier.fate) == (3, Fate.SPARE)
    assert "later run" in earlier.reason


def test_a_claim_gives_no_more_room_than_a_quota_but_what_is_proven_or_pmonds_own_stays() -> None:
    claims = [found(f"a{n}", 1, bearer(10 + n, ALICE)) for n in range(4)]
    fates = [one.fate for one in decide(claims, {}, LOST)]
    assert fates == [Fate.DECLARE, Fate.DECLARE, Fate.SPARE, Fate.SPARE]
    proven = [found(f"a{n}", 1, bearer(10 + n, ALICE, proven=True)) for n in range(4)]
    own = [found(f"r{n}", 1, bearer(10 + n)) for n in range(4)]
    assert {one.fate for one in decide(proven + own, {}, LOST)} == {Fate.DECLARE}


def test_a_pmond_without_rights_leaves_what_others_run() -> None:
    mine = RecoveryTerms(lost=True, own_uid=ALICE, most_per_user=9)
    assert only(decide([found("x", 1, bearer(7, BOB))], {}, mine)).fate is Fate.SPARE
    assert only(decide([found("x", 1, bearer(7, ALICE))], {}, mine)).fate is Fate.DECLARE


def test_whoever_is_no_leader_is_no_main_program() -> None:
    assert main_of([bearer(7, leads=False), bearer(8, ALICE)], {ROOT}) is None
    oldest = main_of([bearer(7), bearer(8)])
    assert oldest is not None and oldest.pid == 7


_UIDS = st.sampled_from([ROOT, ALICE, BOB])
_BEARERS = st.builds(
    lambda pid, uid, leads, proven: bearer(pid, uid, leads=leads, proven=proven),
    st.integers(2, 40), _UIDS, st.booleans(), st.booleans(),
)  # fmt: skip
_FOUND = st.builds(
    lambda name, number, bearers: Found(name, number, tuple(bearers)),
    st.sampled_from(["web", "api", "job", "x"]),
    st.integers(1, 4),
    st.lists(_BEARERS, min_size=1, max_size=3),
)


@given(st.lists(_FOUND, max_size=8, unique_by=lambda one: (one.name, one.number)), _UIDS)
def test_whatever_is_found_nothing_ends_and_no_name_is_given_twice(
    everything: list[Found], own_uid: int
) -> None:
    declared = {
        "web": Claimable("h1:a", frozenset({ROOT})),
        "api": Claimable("h1:b", frozenset({ROOT, ALICE}), renamed_from="x"),
    }
    decisions = decide(everything, declared, RecoveryTerms(True, own_uid, 2))
    assert sorted(id(one.found) for one in decisions) == sorted(map(id, everything))
    assert Fate.END not in {one.fate for one in decisions}
    named = [one.name for one in decisions if one.fate is Fate.DECLARE]
    assert len(named) == len(set(named)) and not set(named) & set(declared)
    for one in decisions:
        main = one.main
        if one.fate is Fate.ADOPT and main is not None:
            assert main.leads and (main.proven or main.uid in declared[one.name].uids)


@given(st.text(min_size=1, max_size=200), st.text(max_size=30), st.sets(st.text(max_size=5), max_size=3))
def test_a_free_name_is_free_and_fits(name: str, user: str, taken: set[str]) -> None:
    name = name.encode("utf-8", "ignore").decode()
    first = free_name(name, user, taken)
    second = free_name(name, user, {*taken, first})
    assert first not in taken and second not in {*taken, first}
    assert max(len(one.encode("utf-8", "ignore")) for one in (first, second)) <= 128
