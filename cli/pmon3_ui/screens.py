"""The screens over the list: a description, a log, the graph, a question, help."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Footer, Label, RichLog, Static

from pmon3.describe import properties
from pmon3.neutral import LogText, harmless
from pmon3.render import property_table
from pmon3.table import Style, visible
from pmon3_schema.errors import PmonError
from pmon3_ui.needs import tree
from pmon3_ui.retrying import attempts
from pmon3_ui.upstream import Upstream

_KEPT_LINES = 10_000
"""Of a log that is followed: what a person scrolls back through, in bounded memory."""

_LONGEST_LINE = 16_384
"""Characters of a line that has no end yet: more of it are shown as the next one."""

HELP = """\
Moving        Up Down j k, PgUp PgDn, Home End; the mouse too
Filter        / or F4: words that are all in the name, the status, a group or
              a label; Enter keeps them, Esc takes them away
Sort          o or F6: by id, name, status, restarts, processor, memory
Figures       t: measure processor and memory every other second, or do not
Look again    F5 (changes come by themselves)

Describe      Enter or d
Log           l; f stops and goes on following
Graph         g: who needs whom

Start         s or F7      each of them
Stop          x or F9      asks
Restart       r or F8      first

Back          Esc or q
Leave         q, F10 or Ctrl-C"""

_MOVING: list[BindingType] = [
    ("escape,q,backspace", "dismiss", "Back"),
    ("j", "move(1)", ""),
    ("k", "move(-1)", ""),
]


class TextScreen(Screen[None]):
    """Text that is longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = _MOVING

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        yield Static(Text(self._title), classes="title")
        with VerticalScroll(can_focus=True):
            yield Static(id="text")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
        self.look()

    def action_move(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def show(self, text: Text) -> None:
        self.query_one("#text", Static).update(text)

    def look(self) -> None:
        """Ask for what is shown; again whenever something has happened."""


class HelpScreen(TextScreen):
    """The keys."""

    def __init__(self) -> None:
        super().__init__("Help")

    def look(self) -> None:
        self.show(Text(HELP))


class DescriptionScreen(TextScreen):
    """Everything about one process."""

    def __init__(self, upstream: Upstream, name: str) -> None:
        super().__init__(f"Description of {visible(name)}")
        self._upstream, self._process = upstream, name

    def look(self) -> None:
        self.run_worker(self._ask(), exclusive=True)

    async def _ask(self) -> None:
        try:
            process = await self._upstream.describe(self._process)
        except PmonError as error:
            self.show(Text(visible(error.message)))
            return
        rows = properties(process, now=time.time())
        text = property_table(rows, Style(coloured=True, columns=self.size.width - 2))
        self.show(Text.from_ansi(harmless(text, coloured=True)))

    def on_resize(self) -> None:
        self.look()


class GraphScreen(TextScreen):
    """Who needs whom."""

    def __init__(self, upstream: Upstream) -> None:
        super().__init__("Who needs whom")
        self._upstream = upstream

    def look(self) -> None:
        self.run_worker(self._ask(), exclusive=True)

    async def _ask(self) -> None:
        try:
            graph = await self._upstream.graph()
            found = await self._upstream.processes(measured=False)
        except PmonError as error:
            self.show(Text(visible(error.message)))
            return
        self.show(Text("\n".join(tree(graph, {one["name"]: one["status"] for one in found}))))


class LogScreen(Screen[None]):
    """The end of a log and what comes, where it left off also after pmond was away."""

    BINDINGS: ClassVar[list[BindingType]] = [*_MOVING, ("f", "follow", "Follow or not")]

    def __init__(self, upstream: Upstream, name: str) -> None:
        super().__init__()
        self._upstream, self._process = upstream, name
        self._position: int | None = None
        self._text = LogText()
        self._rest = ""

    def compose(self) -> ComposeResult:
        yield Static(id="head", classes="title")
        yield RichLog(max_lines=_KEPT_LINES, wrap=True, min_width=1)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(RichLog).focus()
        self._say("")
        self.follow_log()

    def _say(self, what: str) -> None:
        following = "" if self.query_one(RichLog).auto_scroll else "  not following (f goes on)"
        text = f"Log of {visible(self._process)}{following}  {what}"
        self.query_one("#head", Static).update(Text(text, no_wrap=True))

    @work(exclusive=True)
    async def follow_log(self) -> None:
        async for _ in attempts():
            try:
                async for position, data in self._upstream.log(self._process, self._position):
                    self._say("")
                    self._take(position, data)
                self._say("pmond has gone away; trying again")
            except PmonError as error:
                self._say(visible(f"trying again: {error.message}"))

    def _take(self, position: int | None, data: bytes) -> None:
        if position is not None:
            self._position = position + len(data)
        *lines, self._rest = (self._rest + self._text.feed(data)).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        view = self.query_one(RichLog)
        for line in lines:
            view.write(Text.from_ansi(line))

    def action_follow(self) -> None:
        view = self.query_one(RichLog)
        view.auto_scroll = not view.auto_scroll
        if view.auto_scroll:
            view.scroll_end(animate=False)
        self._say("")

    def action_move(self, lines: int) -> None:
        view = self.query_one(RichLog)
        view.auto_scroll = False
        view.scroll_relative(y=lines, animate=False)
        self._say("")


class Question(ModalScreen[bool]):
    """Whether something is to be done. Nothing is, unless it is said."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("y", "answer(True)", "Yes"),
        ("n,escape,q", "answer(False)", "No"),
        ("left,right", "app.focus_next", ""),
    ]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._question = text

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(Text(self._question))
            with Horizontal():
                yield Button("No (n)", id="no", compact=True)
                yield Button("Yes (y)", id="yes", compact=True)

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")
