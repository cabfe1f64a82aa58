"""The list of processes, and what can be done from there.

Theory of operation: one worker listens to pmond's events and asks for the list after each burst of them.
The list that was there last stays while pmond is away; the line at the top says so, and the worker goes on
trying. Rows are changed cell by cell, so that the cursor stays on its process.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import DataTable, Footer, Input, Static

from pmon3.client import Client
from pmon3.describe import why_not_running
from pmon3.table import visible
from pmon3_schema.errors import PmonError
from pmon3_ui import rows
from pmon3_ui.retrying import attempts
from pmon3_ui.screens import DescriptionScreen, GraphScreen, HelpScreen, LogScreen, Question, TextScreen
from pmon3_ui.upstream import Process, Upstream

_AT_MOST_EVERY = 0.2
"""Seconds: a burst of events is one look."""
_FIGURES_EVERY = 2.0
"""Seconds, where the person wants to see figures."""


class ProcessList(DataTable[Text]):
    """The list; Home and End go through its rows, as everywhere but in a sheet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("home", "scroll_top", ""),
        ("end", "scroll_bottom", ""),
    ]


class TerminalUI(App[None]):
    """`pmon3 ui`."""

    CSS_PATH = "look.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        ("question_mark,f1,h", "help", "Help"),
        ("slash,f4", "filter", "Filter"),
        ("d,enter", "describe", "Desc"),
        ("l", "log", "Log"),
        ("s,f7", "act('start')", "Start"),
        ("x,f9", "act('stop')", "Stop"),
        ("r,f8", "act('restart')", "Restart"),
        ("g", "graph", "Graph"),
        ("q,f10", "quit", "Quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        ("o,f6", "sort", ""),
        ("t", "figures", ""),
        ("f5", "look", ""),
        ("escape", "forget_filter", ""),
        ("j", "move('down')", ""),
        ("k", "move('up')", ""),
    ]

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._upstream = Upstream(client)
        self._processes: list[Process] = []
        self._wanted = rows.Wanted()
        self._columns: list[rows.ListColumn] = []
        self._trouble = ""
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="head", classes="title")
        yield ProcessList(cursor_type="row")
        yield Input(placeholder="filter", id="filter", compact=True)
        yield Static(id="reason")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._filter.display = False
        self._table.focus()
        self._lay_out()
        self.listen()

    @property
    def _table(self) -> ProcessList:
        return self.screen_stack[0].query_one(ProcessList)

    @property
    def _filter(self) -> Input:
        return self.screen_stack[0].query_one("#filter", Input)

    # What is shown.

    @work(exclusive=True, group="listening")
    async def listen(self) -> None:
        async for _ in attempts():
            try:
                async for _ in self._upstream.changes():
                    await self._look_now()
                    await asyncio.sleep(_AT_MOST_EVERY)
                self._say_trouble("pmond has gone away")
            except PmonError as error:
                self._say_trouble(error.message)

    async def _look_now(self) -> None:
        self._processes = await self._upstream.processes(self._wanted.measured)
        self._trouble = ""
        self._show()
        if isinstance(self.screen, TextScreen):
            self.screen.look()

    def _say_trouble(self, what: str) -> None:
        self._trouble = f"trying again: {visible(what)}"
        self._show()

    def _show(self) -> None:
        found = rows.listed(self._processes, self._wanted)
        self._fill(found)
        head = self.screen_stack[0].query_one("#head", Static)
        filtered = f"  filter: {visible(self._wanted.text)}" if self._wanted.text else ""
        order = f"  by {self._wanted.order}" if self._wanted.order != "id" else ""
        text = f"{rows.summary(self._processes, len(found))}{filtered}{order}"
        head.update(Text(f"! {self._trouble}" if self._trouble else text, no_wrap=True, overflow="ellipsis"))
        head.set_class(bool(self._trouble), "trouble")
        self._show_reason()

    def _fill(self, found: list[Process]) -> None:
        table, chosen = self._table, self._chosen()
        names = [one["name"] for one in found]
        if names != [row.value for row in table.rows]:
            row = table.cursor_row
            table.clear()
            for one in found:
                table.add_row(*self._cells(one), key=one["name"])
            place = names.index(chosen["name"]) if chosen and chosen["name"] in names else row
            table.move_cursor(row=min(place, max(0, len(names) - 1)))
            return
        for number, one in enumerate(found):
            for place, (old, new) in enumerate(zip(table.get_row_at(number), self._cells(one), strict=True)):
                if old != new:
                    table.update_cell_at((number, place), new)  # type: ignore[arg-type]

    def _cells(self, process: Process) -> list[Text]:
        style = f"color({rows.colour(process)})"
        texts = rows.cells(process, self._columns)
        return [
            Text(text, style=style if column.title == "Status" else "")
            for column, text in zip(self._columns, texts, strict=True)
        ]

    def _lay_out(self) -> None:
        """The columns that have room now, and all rows anew."""
        self._columns = rows.columns(self.size.width, self._wanted.measured)
        table, row = self._table, self._table.cursor_row
        table.clear(columns=True)
        for column in self._columns:
            table.add_column(column.title, width=column.size, key=column.title)
        self._show()
        table.move_cursor(row=row)

    def on_resize(self) -> None:
        self._lay_out()

    def on_data_table_row_highlighted(self) -> None:
        self._show_reason()

    def _show_reason(self) -> None:
        """Below the list: why the process under the cursor does not run."""
        chosen = self._chosen()
        why = why_not_running(chosen) if chosen else ""
        text = f"{visible(chosen['name'])}: {visible(why)}" if chosen and why else ""
        self.screen_stack[0].query_one("#reason", Static).update(
            Text(text, no_wrap=True, overflow="ellipsis")
        )

    def _chosen(self) -> Process | None:
        table = self._table
        if not table.is_valid_row_index(table.cursor_row):
            return None
        name = table.coordinate_to_cell_key((table.cursor_row, 0)).row_key.value  # type: ignore[arg-type]
        return next((one for one in self._processes if one["name"] == name), None)

    # What keys do.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """On a screen over the list the keys of the list mean nothing."""
        return action == "quit" or len(self.screen_stack) == 1 or not hasattr(TerminalUI, f"action_{action}")

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def action_describe(self) -> None:
        if chosen := self._chosen():
            self.push_screen(DescriptionScreen(self._upstream, chosen["name"]))

    def on_data_table_row_selected(self) -> None:
        self.action_describe()

    def action_log(self) -> None:
        if chosen := self._chosen():
            self.push_screen(LogScreen(self._upstream, chosen["name"]))

    def action_graph(self) -> None:
        self.push_screen(GraphScreen(self._upstream))

    @work(group="acting")
    async def action_act(self, verb: str) -> None:
        chosen = self._chosen()
        if not chosen or not await self.push_screen_wait(Question(f"{verb} {visible(chosen['name'])}?")):
            return
        try:
            await self._upstream.act(verb, chosen["name"])
        except PmonError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self.notify(visible(error.message + hint), severity="error", markup=False)

    def action_filter(self) -> None:
        self._filter.display = True
        self._filter.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._wanted = self._wanted._replace(text=event.value)
        self._show()

    def on_input_submitted(self) -> None:
        self._filter.display = bool(self._wanted.text)
        self._table.focus()

    def action_forget_filter(self) -> None:
        self._filter.value = ""
        self._filter.display = False
        self._table.focus()

    def action_sort(self) -> None:
        place = rows.ORDERS.index(self._wanted.order) + 1
        self._wanted = self._wanted._replace(order=rows.ORDERS[place % len(rows.ORDERS)])
        self._show()

    def action_figures(self) -> None:
        self._wanted = self._wanted._replace(measured=not self._wanted.measured)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_interval(_FIGURES_EVERY, self.action_look) if self._wanted.measured else None
        self._lay_out()
        self.action_look()

    @work(exclusive=True, group="looking")
    async def action_look(self) -> None:
        with contextlib.suppress(PmonError):  # whoever listens to the events says so
            await self._look_now()

    def action_move(self, direction: str) -> None:
        if direction == "down":
            self._table.action_cursor_down()
        else:
            self._table.action_cursor_up()


def run(client: Client) -> None:
    """Show it until the person leaves."""
    TerminalUI(client).run()
