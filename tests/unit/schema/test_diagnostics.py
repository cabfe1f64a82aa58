"""Diagnostics as JSON and as text."""

from __future__ import annotations

from pmon3_schema.diagnostics import (
    CODES,
    Diagnostic,
    Related,
    Severity,
    display_path,
    render_concise,
    render_text,
    summary,
)

ONE = Diagnostic(
    Severity.ERROR, "PM014", "unknown field `é`", "a.yaml", 2, 3, 2, 5,
    "/processes/we~1b/é", "did you mean `e`?",
    (Related("b.yaml", 1, 1, 1, 2, "first here"),),
)  # fmt: skip


def test_json_goes_both_ways_and_counts_bytes() -> None:
    body = ONE.to_json("ü\n  éé\n")
    assert body["range"] == {
        "start": {"line": 2, "column": 3, "offset": 5},
        "end": {"line": 2, "column": 5, "offset": 9},
    }
    assert Diagnostic.from_json(body) == ONE


def test_text_underlines_the_place() -> None:
    assert render_text([ONE], {"a.yaml": "ü\n  éé: 1\n"}).splitlines() == [
        "error[PM014]: unknown field `é`",
        " --> a.yaml:2:3",
        "  |",
        "1 | ü",
        "2 |   éé: 1",
        "  |   ^^ did you mean `e`?",
        "  = path: processes[we/b].é",
        "  = note: first here: b.yaml:1:1",
    ]


def test_wide_characters_tabs_and_control_sequences_do_not_break_the_picture() -> None:
    text = "\t世界: \x1b[31mx"
    shown = render_text([Diagnostic(Severity.WARNING, "PM012", "m", "f", 1, 6, 1, 11)], {"f": text})
    assert "\x1b" not in shown
    assert shown.splitlines()[-1] == "  | " + " " * 7 + "^" * 5


def test_one_endless_line_is_shown_as_a_window() -> None:
    text = "x" * 10_000 + "HERE" + "y" * 10_000
    lines = render_text([Diagnostic(Severity.ERROR, "PM012", "m", "f", 1, 10_001, 1, 10_005)], {"f": text})
    picture = lines.splitlines()
    assert all(len(line) < 140 for line in picture)
    assert picture[-2][picture[-1].index("^") :].startswith("HERE")


def test_concise_and_summary() -> None:
    assert render_concise([ONE]) == "a.yaml:2:3: error[PM014] unknown field `é` (did you mean `e`?)\n"
    assert summary([ONE]) == "1 error, 0 warnings"


def test_paths_and_codes() -> None:
    assert display_path("/processes/web/args/2") == "processes[web].args.2"
    assert all(code.startswith("PM0") and len(code) == 5 for code in CODES)
