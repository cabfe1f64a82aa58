"""Limits: what is counted goes back to zero, and the right connection is ended."""

from __future__ import annotations

import asyncio

import pytest

from pmond.runtime.access.authority import AccessRules, Authority, Quota
from pmond.runtime.access.principal import Principal
from pmond.runtime.http.admission import Admission, ServerLimits
from pmond.runtime.http.messages import HttpError

ROOT, ANN, BOB = Principal(1, 0, 0), Principal(2, 1001, 1001), Principal(3, 1002, 1002)


class AdmittedClient:
    """A connection that notes its end."""

    closed: asyncio.Future[None]

    def __init__(self, peer: Principal) -> None:
        self.peer = peer
        self.ended = False

    def abort(self) -> None:
        self.ended = True

    def end_when_answered(self, expect: bool = False) -> None:
        self.ended = True


def connect(admission: Admission, *peers: Principal) -> list[AdmittedClient]:
    clients = [AdmittedClient(peer) for peer in peers]
    for client in clients:
        admission.connected(client)
    return clients


def test_the_oldest_waiting_connection_is_ended() -> None:
    admission = Admission(ServerLimits(connections=2), lambda: Authority(0))
    first, second, third = connect(admission, ANN, ANN, ANN)
    assert [first.ended, second.ended, third.ended] == [True, False, False]
    assert len(admission.connections) == 2


def test_the_newcomers_own_go_first_and_roots_last() -> None:
    admission = Admission(ServerLimits(connections=3), lambda: Authority(0))
    root, bob, ann, newcomer = connect(admission, ROOT, BOB, ANN, ANN)
    assert [root.ended, bob.ended, ann.ended, newcomer.ended] == [False, False, True, False]


def test_a_connection_at_work_is_not_ended() -> None:
    admission = Admission(ServerLimits(connections=2), lambda: Authority(0))
    busy, waiting = connect(admission, ANN, ANN)
    admission.begin_request(busy)
    connect(admission, ANN)
    assert not busy.ended and waiting.ended


def test_a_connection_waits_anew_after_its_request() -> None:
    admission = Admission(ServerLimits(connections=2), lambda: Authority(0))
    first, second = connect(admission, ANN, ANN)
    admission.begin_request(first)
    admission.end_request(first)
    connect(admission, ANN)
    assert second.ended and not first.ended


TWO_EACH = Authority(0, AccessRules(quota=Quota(requests=2)))


def test_requests_are_limited_by_user_and_together() -> None:
    admission = Admission(ServerLimits(requests=5), lambda: TWO_EACH)
    clients = connect(admission, ANN, ANN, ANN, BOB, ROOT, ROOT, ROOT)
    for client in (*clients[:2], *clients[4:6]):
        admission.begin_request(client)
    with pytest.raises(HttpError, match="2 requests of") as refused:
        admission.begin_request(clients[2])
    assert (refused.value.status, refused.value.code) == (429, "refused")
    admission.begin_request(clients[6])
    with pytest.raises(HttpError) as refused:
        admission.begin_request(clients[3])
    assert refused.value.status == 503
    admission.end_request(clients[0])
    admission.begin_request(clients[2])


def test_bodies_are_limited_by_user_and_together() -> None:
    admission = Admission(ServerLimits(body_bytes_of_a_user=10, all_body_bytes=25), lambda: Authority(0))
    ann, root = connect(admission, ANN, ROOT)
    admission.take_body(ann, 10)
    with pytest.raises(HttpError):
        admission.take_body(ann, 1)
    admission.take_body(root, 15)
    with pytest.raises(HttpError):
        admission.take_body(root, 1)
    admission.release_body(ann, 10)
    admission.take_body(ann, 10)
    assert (admission.largest_body(ann), admission.largest_body(root)) == (10, 64 * 1024 * 1024)
