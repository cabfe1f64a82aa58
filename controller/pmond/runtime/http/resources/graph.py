"""Who depends on whom."""

from __future__ import annotations

from pmon3_schema.answers import Graph
from pmon3_schema.protocol import Selection
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
            specs = await self._sources.declared()
        else:
            specs = [one.spec for one in self._registry.select(Selection())]
        return await in_thread_or_here(graph_json, specs)
