"""What the terminal UI says of processes and of who needs whom, as text."""

from __future__ import annotations

from tests.support.fake_daemon import graph_need, process

from pmon3_ui import rows
from pmon3_ui.needs import tree


def test_columns_fill_eighty_and_give_way_below() -> None:
    wide = rows.columns(80, measured=False)
    assert [one.title for one in wide] == ["Name", "Status", "PID", "⟳", "Since"]
    assert sum(one.size + 2 for one in wide) == 80
    assert [one.title for one in rows.columns(40, measured=True)] == ["Name", "Status", "PID"]


def test_a_name_that_steers_is_shown_as_what_it_is() -> None:
    shown = rows.columns(80, measured=False)
    assert rows.cells(process(1, "a\x1b[2Jb\n"), shown)[0] == "a\\x1b[2Jb\\n"


def test_every_word_of_a_filter_is_somewhere_in_name_status_group_or_label() -> None:
    both = [process(1, "web"), process(2, "db", "stopped")]
    for text, names in (("RUN web", ["web"]), ("tier=web", ["web", "db"]), ("web stop", ["db"]), ("x", [])):
        found = rows.listed(both, rows.Wanted(text))
        assert [one["name"] for one in found] == names, text


def test_a_tree_shows_each_need_once_in_full_and_ends_in_a_cycle() -> None:
    graph = {
        "order": ["db", "web", "job", "nap", "a", "b"],
        "dependencies": [
            graph_need("web", "db", "ready"),
            graph_need("job", "web", "started", required=False),
            graph_need("job", "db", "ready"),
            graph_need("a", "b", "started"),
            graph_need("b", "a", "started"),
        ],
        "cycles": [["a", "b"]],
    }
    assert tree(graph, {"db": "failed"}) == [
        "job",
        "├─ web must be started, not required",
        "│  └─ db  [failed] must be ready",
        "└─ db  [failed] must be ready",
        "a",
        "└─ b must be started",
        "   └─ a must be started (see above)",
        "",
        "Needs nothing, and nothing needs it:",
        "  nap",
        "A cycle: a -> b -> a",
    ]
