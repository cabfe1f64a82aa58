"""Tables of the closed sets of words (statuses, events, codes, requests), and of the last measurements."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from types import ModuleType

from pmon3 import exit_codes as exit_code_module
from pmon3.tool_aliases import BY_TOOL
from pmon3_schema import errors, paths, status
from pmon3_schema.diagnostics import CODES
from pmond.core import events
from pmond.runtime.access import authority
from pmond.runtime.http.routes import ROUTES
from pmond.runtime.views.metric_tables import TABLES, TURN_SECONDS

LATEST = Path(__file__).resolve().parents[1] / "benchmarks" / "latest.md"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(item) for item in line)} |\n" for line in lines)


def documented(module: ModuleType, owner: str = "") -> dict[str, str]:
    """Names that are assigned at the top of a module, or of a class in it, and the texts below them."""
    body = ast.parse(inspect.getsource(module)).body
    if owner:
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == owner)
    found: dict[str, str] = {}
    name = ""
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            found[name] = ""
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
    return found


def exit_codes() -> str:
    """The exit codes of pmon3."""
    texts = documented(exit_code_module)
    numbers = {name: number for name, number in vars(exit_code_module).items() if isinstance(number, int)}
    return table(("code", "meaning"), [(f"`{number}`", texts[name]) for name, number in numbers.items()])


def error_codes() -> str:
    """The codes of error answers, with the exit code of the command that gets one."""
    texts = documented(errors, "ErrorCode")
    return table(
        ("code", "exit code", "meaning"),
        [(f"`{c}`", f"`{exit_code_module.exit_code(c)}`", texts[c.name]) for c in errors.ErrorCode],
    )


def statuses() -> str:
    """The words of the column Status, with their numbers."""
    texts = documented(status, "Status")
    return table(
        ("status", "number", "meaning"), [(f"`{s.word}`", s.value, texts[s.name]) for s in status.Status]
    )


def event_types() -> str:
    """The types of events of processes."""
    texts = documented(events, "EventType")
    return table(("event", "meaning"), [(f"`{e}`", texts[e.name]) for e in events.EventType])


def diagnostics() -> str:
    """The codes of `validate`."""
    return table(("code", "meaning"), [(f"`{code}`", text) for code, text in CODES.items()])


def requests() -> str:
    """What can be asked over the socket."""
    return table(
        ("request", "query", "who", "meaning"),
        [
            (
                f"`{route.method} {route.pattern}`",
                " ".join(f"`{parameter.name}`" for parameter in route.parameters),
                route.access.value,
                route.summary,
            )
            for route in ROUTES
        ],
    )


def roles() -> str:
    """What a caller is to a pmond."""
    texts = documented(authority, "Role")
    return table(("you are", "who"), [(f"`{role}`", texts[role.name]) for role in authority.Role])


def rights() -> str:
    """Who may do what: the table that decides, for each role."""
    texts = documented(authority, "Right")
    rows = [
        (
            f"**{right}**",
            *[_over(right, *authority.RIGHTS[role]) for role in authority.Role],
            texts[right.name],
        )
        for right in authority.Right
    ]
    return table(("", *[f"`{role}`" for role in authority.Role], "means"), rows)


def _over(right: authority.Right, own: Set[authority.Right], others: Set[authority.Right]) -> str:
    """Over whose processes and sets."""
    assert right in own or right not in others, "nobody may do to others' what he may not to his own"
    if right in others:
        return "of all"
    return "of one's own" if right in own else "–"


def of_tool(tool: str) -> str:
    """The words of another tool, and what to type instead."""
    return table(
        ("there", "here"),
        [
            (f"`{word}`", f"`{said.command}`" + (f" ({said.remark})" if said.remark else "")
             if said.command else said.remark)
            for word, said in BY_TOOL[tool].items()
        ],
    )  # fmt: skip


def metrics() -> str:
    """What is told to Prometheus and its like."""
    rows = [
        (f"`{metric.sample_name}`", metric.kind.value, metric.help)
        for metrics_of in TABLES
        for metric in metrics_of
    ]
    name, help = TURN_SECONDS
    return table(("metric", "kind", "meaning"), [*rows, (f"`{name}`", "histogram", help)])


def places() -> str:
    """Where the two kinds of pmond keep their things."""
    home = {"HOME": "/home/you", "XDG_RUNTIME_DIR": "/run/user/1000"}
    system, own = paths.system_places(), paths.own_places(home, 1000)
    names = {
        "config_file": "configuration",
        "process_config_file": "process config file, unless configured",
        "data": "folder of the state file",
        "logs": "folder of the logs",
        "runtime": "folder of the socket `pmon3.sock`",
    }
    rows = [
        (text, f"`{getattr(system, key)}`", f"`{getattr(own, key).replace('/home/you', '~')}`")
        for key, text in names.items()
    ]
    return table(("what", "the system's pmond", "your own pmond"), rows)


def benchmarks() -> str:
    """The columns of the last benchmark run that a reader asks for first."""
    wanted = ("system", "restart p50", "bring-up", "list command", "idle CPU", "memory PSS")
    parts = []
    for size, rows in _measured(LATEST.read_text("utf-8")):
        head = rows[0]
        columns = [head.index(name) for name in wanted if name in head]
        parts.append(f"\n{size}:\n\n" + table(*_split([[row[c] for c in columns] for row in rows])))
    return "".join(parts) + "\n"


def _measured(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    for part in text.split("\n### ")[1:]:
        lines = [line.strip("| ").split("|") for line in part.splitlines() if line.startswith("| ")]
        if lines:
            yield part.partition("\n")[0], [[cell.strip() for cell in line] for line in lines]


def _split(rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    return rows[0], rows[1:]


def _cell(item: object) -> str:
    return str(item).replace("|", "\\|").replace("\n", " ")
