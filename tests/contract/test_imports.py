"""Who imports whom, where import-linter has no contract for it."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even inside of a function, or for types alone: what goes round cannot be read in an order."""
    graph = grimp.build_graph("pmon3_schema", "pmond", "pmon3", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None
