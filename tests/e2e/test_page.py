"""The page in a real browser, in front of a real pmond: what a person does with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.pmond import Pmond
from tests.support.waiting import until

pytestmark = pytest.mark.slow
sync_api = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
WATCH_ROWS = """() => {
  window.touched = new Set();
  new MutationObserver((changes) => {
    for (const change of changes) for (const row of change.addedNodes) window.touched.add(row.dataset.name);
  }).observe(document.querySelector(".processes tbody"), { childList: true });
}"""
HOSTILE = "<img src=x onerror=alert(1)>"


def fleet(args: str = "1000") -> list[dict[str, Any]]:
    said = f"printf '\\033[31mred\\033[0m {HOSTILE}\\n'; exec sleep 1000"
    return [
        {"name": "db", "file": "/bin/sh", "args": ["-c", said], "groups": ["data"]},
        {"name": "web", "file": "/bin/sleep", "args": [args], "replicas": 3, "dependencies": ["db"]},
        {"name": "cron", "file": "/bin/true", "type": "oneshot", "schedule": {"every": "1h"}},
    ]


@contextmanager
def page_of(pmond: Pmond) -> Iterator[str]:
    """The address where `pmon3 web` serves, whose end is a part of it."""
    words = [sys.executable, "-P", "-m", "pmon3", "web", "--listen", "127.0.0.1:0"]
    served = subprocess.Popen(words, env=pmond.environment, stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    try:
        yield served.stdout.readline().strip()
    finally:
        served.send_signal(signal.SIGINT)
        assert served.wait(20) == 130
        served.stdout.close()


class Visitor:
    """A browser that has seen nothing yet, and remembers whatever should not be."""

    def __init__(self, browser: Any, address: str, **more: Any) -> None:
        self.address = address
        self.context = browser.new_context(**more)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.address):
            self.wrong.append(f"it asked {request.url}")

    def log_in(self, token: str) -> None:
        self.page.goto(f"{self.address}/login")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_selector(".processes tbody tr")

    def row(self, name: str) -> Any:
        return self.page.locator(f'tr[data-name="{name}"]')

    def confirm(self, word: str) -> None:
        self.page.locator("dialog").get_by_role("button", name=word).click()

    def is_for_everybody(self) -> None:
        """No violation that axe knows, and nothing wider than the window."""
        self.page.wait_for_selector("h1", state="attached")
        found = axe.Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        # As root, Chromium has no sandbox of its own.
        sync_api.expect.set_options(timeout=20_000)
        started = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


def token(pmond: Pmond, role: str) -> str:
    return str(json.loads(pmond.ok("web", "token", "create", "--role", role, "-o", "json"))["token"])


@needs_browser
def test_a_person_watches_a_crash_stops_starts_reads_edits_and_goes_back(pmond: Pmond, browser: Any) -> None:
    manifest = pmond.folder / "app.json"
    manifest.write_text(json.dumps({"processes": fleet()}))
    pmond.ok("apply", "-f", str(manifest), "--set", "app")
    administrator = token(pmond, "administrator")
    with page_of(pmond) as address:
        visitor = Visitor(browser, address, viewport={"width": 1280, "height": 800})
        page = visitor.page
        visitor.log_in(administrator)

        # A crash appears, without a reload.
        page.evaluate("window.here = true")
        page.evaluate(WATCH_ROWS)
        before = pmond.row("db")["pid"]
        os.kill(before, signal.SIGKILL)
        sync_api.expect(visitor.row("db").locator("td").nth(4)).to_have_text("1")
        assert pmond.row("db")["pid"] != before
        assert page.evaluate("[...window.touched]") == ["db"], "and no other row is drawn anew"

        page.get_by_role("button", name="Stop db").click()
        visitor.confirm("Cancel")
        page.get_by_role("button", name="Stop db").click()
        visitor.confirm("Stop")
        sync_api.expect(visitor.row("db").locator(".state")).to_have_text("stopped")
        page.get_by_role("button", name="Start db").click()
        sync_api.expect(visitor.row("db").locator(".state")).to_have_text("running")

        # Replicas are one row until somebody opens it.
        assert visitor.row("web@0").count() == 0
        page.get_by_role("button", name="web × 3").click()
        sync_api.expect(visitor.row("web@2")).to_be_visible()
        visitor.is_for_everybody()

        # A log is text, whatever a program writes, and goes on by itself.
        visitor.row("db").get_by_role("link").click()
        log = page.locator(".log")
        sync_api.expect(log).to_contain_text(HOSTILE)
        assert log.locator("img").count() == 0
        assert log.locator(".c1").first.text_content() == "red"
        with open(pmond.row("db")["log"], "a") as file:  # noqa: PTH123
            file.write("a line that came later\n")
        sync_api.expect(log).to_contain_text("a line that came later")
        page.get_by_label("Search the log").fill("LATER")
        sync_api.expect(page.get_by_text("1 of")).to_be_visible()
        visitor.is_for_everybody()
        assert page.evaluate("window.here"), "nothing was loaded anew"

        page.get_by_role("link", name="Graph").click()
        sync_api.expect(page.locator(".graph .node")).to_have_count(4)
        visitor.is_for_everybody()

        # An edit is seen before it is done, and can be taken back.
        page.get_by_role("link", name="Sets").click()
        page.get_by_role("link", name="app", exact=True).click()
        page.get_by_role("button", name="Edit").click()
        text = page.get_by_label("Manifest", exact=True)
        sync_api.expect(text).to_have_value(re.compile("1000"))
        text.fill(json.dumps({"processes": fleet("2000")}))
        page.get_by_role("button", name="Plan").click()
        sync_api.expect(page.locator("ins").first).to_contain_text("2000")
        visitor.is_for_everybody()
        page.get_by_role("button", name="Apply", exact=True).click()
        visitor.confirm("Apply")
        pmond.until("web@2", "running", args=["2000"])
        until(lambda: newest_revision(pmond)["outcome"] == "done", "the edit to be rolled out")
        page.reload()
        page.get_by_role("button", name="Roll back").first.click()
        visitor.confirm("Roll back")
        pmond.until("web@2", "running", args=["1000"])
        page.get_by_role("link", name="Events").click()
        sync_api.expect(page.get_by_text("Exited").first).to_be_visible()

        # pmond goes away and returns, and the page says so.
        pmond.kill()
        sync_api.expect(page.locator("#connection")).to_contain_text("pmond does not answer")
        pmond.start()
        sync_api.expect(page.locator("#connection")).to_be_hidden()
        assert not [one for one in visitor.wrong if "503" not in one], visitor.wrong


def newest_revision(pmond: Pmond) -> Any:
    return json.loads(pmond.ok("history", "--set", "app", "-o", "json"))[0]


@needs_browser
def test_each_role_is_offered_what_it_may_on_a_telephone_in_the_dark(pmond: Pmond, browser: Any) -> None:
    pmond.declare(*fleet())
    pmond.ok("init")
    pmond.until("db", "running")
    tokens = {role: token(pmond, role) for role in ("viewer", "operator")}
    with page_of(pmond) as address:
        for role, text in tokens.items():
            visitor = Visitor(browser, address, viewport={"width": 360, "height": 740}, color_scheme="dark")
            visitor.log_in(text)
            buttons = visitor.page.get_by_role("button", name="Restart db")
            assert buttons.count() == (0 if role == "viewer" else 1)
            visitor.is_for_everybody()
            visitor.row("db").get_by_role("link").click()
            sync_api.expect(visitor.page.get_by_text("Logs are for administrators.")).to_be_visible()
            assert "sleep 1000" not in visitor.page.content()
            visitor.is_for_everybody()
            assert not visitor.wrong
            visitor.context.close()


@needs_browser
def test_without_a_token_the_address_that_is_printed_opens_the_page(pmond: Pmond, browser: Any) -> None:
    pmond.ok("exec", "/bin/sleep", "--name", "nap", "--", "1000")
    with page_of(pmond) as address:
        base, _, _ = address.partition("/login#")
        visitor = Visitor(browser, base)
        visitor.page.goto(address)
        sync_api.expect(visitor.row("nap").locator(".state")).to_have_text("running")
        assert "#" not in visitor.page.url
        visitor.page.get_by_role("button", name="Log out").click()
        sync_api.expect(visitor.page.get_by_label("Token")).to_be_visible()
        visitor.is_for_everybody()


def test_nobody_listens_where_others_come_without_a_token(pmond: Pmond) -> None:
    refused = pmond.run("web", "--listen", "0.0.0.0:0")
    assert refused.returncode == 6 and "there is no token" in refused.stderr
    assert pmond.run("web", "--listen", "nowhere").returncode == 2
    assert pmond.run("web", "token", "revoke", "none").returncode == 1
    pmond.ok("web", "token", "create", "--name", "alice", "--expires", "1h")
    listed = pmond.ok("web", "token", "list")
    assert "viewer" in listed and "alice" in listed
    ident = pmond.ok("web", "token", "list", "-o", "name").strip()
    assert pmond.ok("web", "token", "revoke", ident) == f"revoked {ident}\n"
