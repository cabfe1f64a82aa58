"""The page refuses what its roles do not allow, and gives nobody what is not his."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("starlette")

from starlette.testclient import TestClient
from tests.support.fake_daemon import CannedAnswer, Chunks, FakeDaemon, detailed

from pmon3.client import Client
from pmon3_schema.errors import PmonError
from pmon3_web import answers, tokens
from pmon3_web.access import ROLES, PageRole
from pmon3_web.application import HEADERS, VIEWS, create
from pmon3_web.asking import COOKIE, CSRF_HEADER, Page, PageRoute
from pmon3_web.hub import Hub
from pmon3_web.sessions import FAILURE_PERIOD, LONGEST, MOST_FAILURES, MOST_SESSIONS, Attempts, Sessions
from pmon3_web.tokens import TokenFile

BODIES = {
    "/api/actions/{verb}": {"name": "web"},
    "/api/plan": {"set": "s", "text": "processes: []"},
    "/api/apply": {"set": "s", "text": "processes: []", "plan_digest": "b2:11"},
    "/api/rollback": {"set": "s", "to": 1},
}
NEVER_ENDING = {"/api/stream", "/api/processes/{name}/log"}


class House:
    """A page in front of a fake pmond, with a clock and a token of each role."""

    def __init__(self, folder: Path, daemon: FakeDaemon) -> None:
        self.daemon = daemon
        self.now = 1000.0
        self.file = TokenFile(folder / "tokens" / "web-tokens.json")
        self.texts = {role: self.token(role.word) for role in PageRole}
        self.page = Page(
            lambda: Client(daemon.path), self.file, Hub(lambda: Client(daemon.path)), Sessions(), Attempts(),
            clock=lambda: self.now,
        )  # fmt: skip

    def token(self, role: str, lifetime: float | None = 100_000.0) -> str:
        made, text = tokens.create(role, "test", self.now, lifetime)
        self.file.add(made)
        return text

    def browser(self, **more: object) -> TestClient:
        return TestClient(create(self.page), base_url="http://127.0.0.1", follow_redirects=False, **more)  # type: ignore[arg-type]

    def bearer(self, role: PageRole) -> TestClient:
        return self.browser(headers={"authorization": f"Bearer {self.texts[role]}"})

    def logged_in(self, role: PageRole) -> TestClient:
        browser = self.browser()
        answer = browser.post("/login", data={"token": self.texts[role]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return browser


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with FakeDaemon(tmp_path / "s") as daemon:
        daemon.answers["GET", "/v1/history"] = CannedAnswer([])
        daemon.answers["POST", "/v1/rollback"] = CannedAnswer({"plan": {}, "targets": [], "revision": 1})
        daemon.answers["GET", "/v1/sets"] = CannedAnswer(
            [{"name": "s", "reason": "", "inventory": [{"name": "web"}]}]
        )
        yield House(tmp_path, daemon)


def ask(browser: TestClient, route: PageRoute, headers: dict[str, str] | None = None) -> int:
    path = route.path.replace("{name}", "web").replace("{verb}", "restart")
    if path == "/api/source":
        path += "?set=s"
    body = BODIES.get(route.path)
    return browser.request(route.method, path, json=body, headers=headers).status_code


@pytest.mark.parametrize("route", answers.ROUTES, ids=lambda route: route.path)
def test_each_address_is_for_its_role_and_those_above(house: House, route: PageRoute) -> None:
    assert ask(house.browser(), route) == 401
    assert ask(house.browser(headers={"authorization": "Bearer pmon3_0_guess"}), route) == 401
    asked = len(house.daemon.requests)
    for role in PageRole:
        if role < route.role:
            assert ask(house.bearer(role), route) == 403
            assert len(house.daemon.requests) == asked, "pmond is not even asked"
        elif route.path not in NEVER_ENDING:
            assert ask(house.bearer(role), route) == 200


@pytest.mark.parametrize("route", VIEWS, ids=lambda route: route.path)
def test_who_has_not_logged_in_is_led_to_the_form(house: House, route: PageRoute) -> None:
    path = route.path.replace("{name}", "web")
    answer = house.browser().get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert house.logged_in(PageRole.VIEWER).get(path).status_code == 200


def test_only_administrators_see_what_may_be_secret(house: House) -> None:
    house.daemon.answers["GET", "/v1/processes/web"] = CannedAnswer(
        detailed(1, "web", args=["--password", "hunter2"], spec={"name": "web", "env_vars": {"A": "hunter2"}})
    )
    for role in (PageRole.VIEWER, PageRole.OPERATOR):
        assert "hunter2" not in house.bearer(role).get("/api/processes/web").text
        assert "80 81" not in house.bearer(role).get("/api/processes").text
    assert "hunter2" in house.bearer(PageRole.ADMINISTRATOR).get("/api/processes/web").text


def test_what_a_rejected_manifest_says_is_for_administrators(house: House) -> None:
    place = {"start": {"line": 3, "column": 5}, "end": {"line": 3, "column": 9}}
    mistake = {
        "severity": "error", "code": "PM010", "message": "hunter2 is no such field", "file": "/m.yaml",
        "range": place, "path": "/hunter2", "hint": "hunter2",
    }  # fmt: skip
    message = "cannot apply /m.yaml: hunter2 is no such field"
    conditions = [{"type": "Accepted", "message": message}, {"type": "Healthy", "message": "all run"}]
    house.daemon.answers["GET", "/v1/sets"] = CannedAnswer(
        [
            {
                "name": "file:/m.yaml", "reason": "InvalidManifest", "message": message,
                "diagnostics": [mistake], "conditions": conditions,
            }
        ]
    )  # fmt: skip
    for role in (PageRole.VIEWER, PageRole.OPERATOR):
        answer = house.bearer(role).get("/api/sets")
        assert "hunter2" not in answer.text
        assert "/m.yaml:3:5" in answer.text and "all run" in answer.text
    assert "hunter2" in house.bearer(PageRole.ADMINISTRATOR).get("/api/sets").text


def test_texts_that_are_no_addresses_or_numbers_are_refused(house: House) -> None:
    browser = house.bearer(PageRole.ADMINISTRATOR)
    assert browser.get(f"/api/processes/web/log?lines={'9' * 5000}").status_code == 400
    form = {"token": house.texts[PageRole.VIEWER]}
    answer = house.browser().post("/login", data=form, headers={"origin": "http://[::1"})
    assert answer.headers["location"] == "/login"
    house.page.metrics_open = True
    odd = house.browser(client=("127.0.0.1", 5), headers={"host": "[nowhere"})
    assert odd.get("/metrics").status_code == 401


def test_two_who_make_tokens_at_once_lose_none(house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: another(house), range(40)))
    kept = house.file.tokens()
    assert all(tokens.matching(kept, text, house.now) for text in texts)


def another(house: House) -> str:
    """A token made by a command of its own, which has read nothing yet."""
    made, text = tokens.create("viewer", "", house.now, None)
    TokenFile(house.file.path).add(made)
    return text


def test_one_token_begins_no_more_sessions_than_others_have_room(house: House) -> None:
    administrator = house.logged_in(PageRole.ADMINISTRATOR)
    first = house.logged_in(PageRole.VIEWER)
    for _ in range(MOST_SESSIONS):
        house.logged_in(PageRole.VIEWER)
    assert administrator.get("/api/me").status_code == 200
    assert first.get("/api/me").status_code == 401, "the oldest of its own ended"


def test_a_set_of_many_processes_is_edited_with_all_of_them_and_no_others(house: House) -> None:
    members = [{"name": f"p{number}"} for number in range(500)] + [{"name": "web@0"}, {"name": "web@1"}]
    house.daemon.answers["GET", "/v1/sets"] = CannedAnswer([{"name": "s", "inventory": members}])
    exported = [{"name": name} for name in [*(f"p{number}" for number in range(500)), "web", "other"]]
    house.daemon.answers["GET", "/v1/export"] = CannedAnswer({"processes": exported})
    found = house.bearer(PageRole.ADMINISTRATOR).get("/api/source?set=s").json()["processes"]
    assert [one["name"] for one in found] == [*(f"p{number}" for number in range(500)), "web"]


def test_a_session_begins_with_a_token_and_under_a_name_that_nobody_chose(house: House) -> None:
    browser = house.browser(cookies={COOKIE: "chosen-by-somebody"})
    answer = browser.post("/login", data={"token": house.texts[PageRole.VIEWER]})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "chosen-by-somebody" not in cookie
    assert house.browser(cookies={COOKIE: "chosen-by-somebody"}).get("/api/me").status_code == 401
    assert browser.get("/api/me").json()["role"] == "viewer"
    browser.post("/logout")
    assert (
        house.browser(cookies={COOKIE: cookie.split("=", 1)[1].split(";")[0]}).get("/api/me").status_code
        == 401
    )


def test_another_site_can_make_a_browser_do_nothing(house: House) -> None:
    browser = house.logged_in(PageRole.OPERATOR)
    route = next(one for one in answers.ROUTES if one.path == "/api/actions/{verb}")
    assert ask(browser, route) == 403
    assert ask(browser, route, {CSRF_HEADER: "guessed"}) == 403
    assert not [one for one in house.daemon.requests if one.method == "POST"]
    assert ask(browser, route, {CSRF_HEADER: browser.get("/api/me").json()["csrf"]}) == 200


def test_a_session_is_as_good_as_its_token_and_no_longer_than_a_day(house: House) -> None:
    short = house.token("viewer", 50.0)
    browser = house.browser()
    browser.post("/login", data={"token": short})
    assert browser.get("/api/me").status_code == 200
    house.now += 60.0
    assert browser.get("/api/me").status_code == 401
    revoked = house.logged_in(PageRole.VIEWER)
    house.file.revoke(house.texts[PageRole.VIEWER].split("_")[1])
    assert revoked.get("/api/me").status_code == 401
    old = house.logged_in(PageRole.OPERATOR)
    house.now += LONGEST + 1
    assert old.get("/api/me").status_code == 401


def test_guessing_ends_soon_for_a_while_and_keeps_nobody_else_out(house: House) -> None:
    browser = house.browser()
    for _ in range(MOST_FAILURES):
        assert browser.post("/login", data={"token": "pmon3_x_wrong"}).headers["location"] == "/login#wrong"
    assert browser.post("/login", data={"token": "pmon3_x_wrong"}).headers["location"] == "/login#wait"
    guess = house.browser(headers={"authorization": "Bearer pmon3_x_wrong"})
    assert guess.get("/api/me").status_code == 429
    assert house.bearer(PageRole.VIEWER).get("/api/me").status_code == 200, "nobody else is kept out"
    house.now += FAILURE_PERIOD + 1
    assert guess.get("/api/me").status_code == 401


def test_another_site_sends_no_form(house: House) -> None:
    form = {"token": house.texts[PageRole.VIEWER]}
    for origin in ("http://attacker.example", "null", "http://127.0.0.1:81"):
        answer = house.browser().post("/login", data=form, headers={"origin": origin})
        assert (answer.headers["location"], answer.headers.get("set-cookie")) == ("/login", None)
    answer = house.browser().post("/login", data=form, headers={"origin": "http://127.0.0.1"})
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("end", ["revoked", "logged out"])
def test_what_goes_on_ends_with_the_token_and_with_the_session(house: House, end: str) -> None:
    """A log that always has one line more, which is looked at after every line."""

    def lines() -> Iterator[bytes]:
        for number in range(1000):
            house.now += 1.0
            if number == 10 and end == "revoked":
                house.file.revoke(house.texts[PageRole.ADMINISTRATOR].split("_")[1])
            if number == 10 and end == "logged out":
                house.page.sessions.end(name)
            yield b"x" * 100

    house.daemon.answers["GET", "/v1/logs/web"] = lambda request: CannedAnswer(Chunks(lines()))
    browser = house.logged_in(PageRole.ADMINISTRATOR)
    name = str(browser.cookies[COOKIE])
    assert len(browser.get("/api/processes/web/log").content) < 50_000


@pytest.mark.parametrize("path", ["/", "/login", "/api/me", "/static/page.css", "/nothing", "/metrics"])
def test_nothing_is_framed_cached_or_loaded_from_elsewhere(house: House, path: str) -> None:
    answer = house.browser().get(path)
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "'unsafe" not in HEADERS["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["/static/../tokens.py", "/static/%2e%2e/tokens.py", "/static/..%2ftokens.py", "/static//etc/passwd"],
)
def test_no_file_beside_the_page_is_served(house: House, path: str) -> None:
    assert house.browser().get(path).status_code == 404


def test_what_is_too_much_or_no_json_is_refused(house: House) -> None:
    browser = house.bearer(PageRole.ADMINISTRATOR)
    assert browser.post("/api/plan", content=b"x" * (2 << 20)).status_code == 400
    assert browser.post("/api/plan", content=b"{").status_code == 400
    assert browser.post("/api/plan", content=b"[" * 100_000).status_code == 400
    bodies: tuple[object, ...] = ([], {"set": 1, "text": "x"}, {"set": "s"})
    for body in bodies:
        assert browser.post("/api/plan", json=body).status_code == 400
    assert browser.post("/api/rollback", json={"set": "s", "to": "1"}).status_code == 400


def test_an_action_is_for_one_process_and_of_a_few_kinds(house: House) -> None:
    browser = house.bearer(PageRole.ADMINISTRATOR)
    assert browser.post("/api/actions/stop", json={"name": "*"}).status_code == 400
    assert browser.post("/api/actions/drop", json={"name": "web"}).status_code == 404
    assert not [one for one in house.daemon.requests if one.method == "POST"]


def test_figures_are_for_who_shows_a_token_or_open_to_this_machine_alone(house: House) -> None:
    house.daemon.answers["GET", "/metrics"] = CannedAnswer(b"# EOF\n")
    assert house.browser().get("/metrics").status_code == 401
    assert house.bearer(PageRole.VIEWER).get("/metrics").status_code == 200
    house.page.metrics_open = True
    assert house.browser(client=("127.0.0.1", 5)).get("/metrics").status_code == 200
    assert house.browser(client=("192.0.2.7", 5)).get("/metrics").status_code == 401
    elsewhere = house.browser(client=("127.0.0.1", 5), headers={"host": "attacker.example"})
    assert elsewhere.get("/metrics").status_code == 401, "a name that leads here is read by no other site"


def test_the_file_of_tokens_has_no_token_and_is_for_nobody_else(house: House) -> None:
    content = house.file.path.read_text()
    assert not [text for text in house.texts.values() if text in content or text.split("_", 2)[2] in content]
    assert stat.S_IMODE(house.file.path.stat().st_mode) == 0o600
    house.file.path.chmod(0o644)
    with pytest.raises(PmonError, match="others may read"):
        house.file.tokens()
    house.file.path.chmod(0o600)
    house.file.path.write_text(json.dumps({"tokens": [{"id": "x"}]}))
    with pytest.raises(PmonError, match="damaged"):
        house.file.tokens()
    assert house.bearer(PageRole.VIEWER).get("/api/me").status_code == 403, "and nobody gets in"


def test_pmond_that_does_not_answer_is_said(house: House) -> None:
    house.daemon.path = "/no/such/socket"
    answer = house.bearer(PageRole.VIEWER).get("/api/processes")
    assert answer.status_code == 503 and answer.json()["error"]["code"] == "unreachable"


def test_every_role_has_its_word() -> None:
    assert list(ROLES) == ["viewer", "operator", "administrator"]


def test_what_takes_more_than_looking() -> None:
    assert {route.path: route.role for route in answers.ROUTES if route.role > PageRole.VIEWER} == {
        "/api/actions/{verb}": PageRole.OPERATOR,
        "/api/processes/{name}/log": PageRole.ADMINISTRATOR,
        "/api/source": PageRole.ADMINISTRATOR,
        "/api/plan": PageRole.ADMINISTRATOR,
        "/api/apply": PageRole.ADMINISTRATOR,
        "/api/rollback": PageRole.ADMINISTRATOR,
    }
    assert all(route.role > PageRole.VIEWER for route in answers.ROUTES if route.method != "GET")
