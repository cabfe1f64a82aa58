"""Who depends on whom."""

from __future__ import annotations

from pmon3_schema.answers import Graph
from pmon3_schema.protocol import Selection
from pmond.core.replicas import names_by_entry
from pmond.runtime.base.long_work import in_thread_or_here
from pmond.runtime.http.call import Call
from pmond.runtime.intent.registry import Registry
from pmond.runtime.intent.sources import Sources
from pmond.runtime.views.graph_view import graph_json


class GraphResource:
    """Answers from what is declared, or from the process config file alone."""

    def __init__(self, registry: Registry, sources: Sources) -> None:
        self._registry = registry
        self._sources = sources

    async def graph(self, call: Call[None]) -> Graph:
        if call.query.flag("process_config_only"):
            specs, by_entry = await self._sources.declared(), {}
        else:
            chosen = self._registry.select(Selection())
            specs, by_entry = [one.spec for one in chosen], names_by_entry(chosen)
        return await in_thread_or_here(graph_json, specs, by_entry)
