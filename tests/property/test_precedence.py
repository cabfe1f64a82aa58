"""Laws of clearing the way for root's manifest, over whatever others have declared before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.support.factories import spec

from pmon3_schema.process import ProcessSpec
from pmond.core.compare import compare
from pmond.core.intent import existing
from pmond.core.model import CLI, Intent
from pmond.core.step import CompareOptions
from pmond.runtime.access.authority import Authority
from pmond.runtime.access.principal import Principal
from pmond.runtime.intent.apply_order import ApplyOrder, CurrentState
from pmond.runtime.intent.precedence import cleared, comparable

OWNER = "file:/etc/all.yaml"
SYSTEM, ROOT, ANN = Authority(0), Principal(1, 0, 0), Principal(2, 1, 1)
NAMES = st.sampled_from(["web", "db", "web~daemon", "web~bin", "web~daemon~2", "x" * 128])
USERS = st.sampled_from(["root", "daemon", "bin"])


@st.composite
def declared(draw: st.DrawFn) -> CurrentState:
    processes: dict[str, Intent] = {}
    for number, name in enumerate(draw(st.lists(NAMES, unique=True)), start=1):
        user = draw(USERS)
        needs = draw(st.sets(NAMES, max_size=2)) - {name}
        one = Intent(spec(name, user=user, dependencies=sorted(needs)), id=number)
        trusted = user == "root" or draw(st.booleans())
        owner = (
            draw(st.sampled_from([CLI, OWNER, "theirs"]))
            if trusted
            else draw(st.sampled_from([CLI, "theirs"]))
        )
        processes[name] = replace(one, trusted=trusted, owner=owner, deleting=draw(st.booleans()))
    return CurrentState(0, processes, {}, {}, None, {})


specs = st.lists(
    st.builds(lambda name, user: spec(name, user=user), NAMES, USERS), unique_by=lambda s: s.name
)


@given(declared(), specs)
def test_nobody_is_lost_and_nobody_is_in_the_way(seen: CurrentState, wanted: list[ProcessSpec]) -> None:
    order = ApplyOrder(CompareOptions(OWNER, take_submitted=True), ROOT)
    way = cleared(seen, wanted, order, SYSTEM)
    after = way.seen.processes
    assert sorted(one.id for one in after.values()) == sorted(one.id for one in seen.processes.values())
    assert all(one.name == name and len(name.encode()) <= 128 for name, one in after.items())
    for one in seen.processes.values():
        (now,) = (other for other in after.values() if other.id == one.id)
        assert now == one or not one.trusted
        assert (now.spec.user, now.revision, now.token) == (one.spec.user, one.revision, one.token)
    present = comparable(existing(after, {}), way, wanted, order, SYSTEM)
    refused = {one.name for one in compare(wanted, present, order.options).conflicts}
    assert all(after[name].trusted for name in refused)


@given(declared(), specs, st.sampled_from([ApplyOrder(CompareOptions(OWNER), ANN),
                                           ApplyOrder(CompareOptions(OWNER), ROOT, author=1)]))  # fmt: skip
def test_without_the_rights_of_root_nobody_makes_way(
    seen: CurrentState, wanted: list[ProcessSpec], order: ApplyOrder
) -> None:
    assert cleared(seen, wanted, order, SYSTEM).seen is seen
