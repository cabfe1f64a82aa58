"""What callers speak to: the resources of the API, each given only the parts that it needs."""

from __future__ import annotations

from collections.abc import Callable

from pmond.runtime.access.authority import Authority, Right
from pmond.runtime.base.clock import Clock
from pmond.runtime.base.journal import Journal
from pmond.runtime.http import openapi
from pmond.runtime.http.admission import free_descriptors, limits_within
from pmond.runtime.http.confined_callers import ConfinedCallers
from pmond.runtime.http.dispatcher import Dispatcher
from pmond.runtime.http.resources.actions import ActionResource
from pmond.runtime.http.resources.events import EventResource
from pmond.runtime.http.resources.graph import GraphResource
from pmond.runtime.http.resources.groups import GroupResource
from pmond.runtime.http.resources.holds import HoldResource
from pmond.runtime.http.resources.logs import LogResource
from pmond.runtime.http.resources.manifests import ManifestResource
from pmond.runtime.http.resources.metrics import MetricResource
from pmond.runtime.http.resources.pmond import Circumstances, DaemonResource, Identification, Services
from pmond.runtime.http.resources.processes import ProcessResource
from pmond.runtime.http.resources.runs import RunResource
from pmond.runtime.http.resources.sets import SetResource
from pmond.runtime.http.resources.signals import SignalResource
from pmond.runtime.http.resources.surroundings import SurroundingsResource
from pmond.runtime.http.resources.waits import WaitResource
from pmond.runtime.http.server import Server
from pmond.runtime.http.visibility import Visibility
from pmond.runtime.program.configuration import Configuration
from pmond.runtime.program.parts import Parts
from pmond.runtime.program.state_folder import StateFolder
from pmond.runtime.state.store import Store
from pmond.runtime.views.metrics import MetricsView
from pmond.runtime.views.readable_logs import ReadableLogs
from pmond.runtime.views.set_view import SetView
from pmond.runtime.views.waiter import Waiter


def server_of(
    parts: Parts,
    configuration: Configuration,
    folder: StateFolder,
    services: Services,
    clock: Clock,
    journal: Journal,
) -> Server:
    """The server of one pmond; nobody is answered before it is started."""

    def circumstances() -> Circumstances:
        log_dir, followed = configuration.settings.logs.directory, parts.sources.process_config_file
        return Circumstances(followed, log_dir, folder.store.degraded)

    def report_defect(identifier: str, where: str, error: BaseException) -> None:
        journal.error("request.failed", error, id=identifier, where=where)

    known = Identification(clock.wall(), configuration.socket, configuration.places.config_file, folder.path)
    daemon = DaemonResource(
        known, circumstances, services, lambda peer: configuration.authority().role(peer), openapi.document
    )
    resources = _resources(parts, configuration.authority, folder.store, services, clock)
    confined = ConfinedCallers(parts.registry, parts.instances)
    dispatcher = Dispatcher((*resources, daemon), configuration.authority, confined.check)
    limits = limits_within(free_descriptors())
    return Server(dispatcher.handle, report_defect, configuration.authority, limits)


def _resources(
    parts: Parts, authority: Callable[[], Authority], store: Store, services: Services, clock: Clock
) -> tuple[object, ...]:
    registry, loop, bus, publisher = parts.registry, parts.loop, parts.bus, parts.publisher
    commands, sources, ownership = parts.commands, parts.sources, parts.ownership
    visibility = Visibility(authority)
    set_view = SetView(
        registry, loop, parts.sets, parts.rollouts, clock,
        lambda record, peer: authority().may(peer, Right.CONTROL_SET, record.uid),
    )  # fmt: skip
    waiter = Waiter(registry, loop, bus, publisher, clock, parts.rollouts.active)
    logs = ReadableLogs(publisher, authority)
    return (
        ProcessResource(registry, publisher, commands, visibility),
        SurroundingsResource(registry, parts.context, authority),
        ActionResource(registry, commands, sources, authority),
        SignalResource(registry, parts.signalling, authority),
        HoldResource(ownership, parts.replication),
        WaitResource(waiter, logs, set_view, visibility),
        ManifestResource(
            registry, commands, parts.applier, parts.sets, ownership, sources, visibility,
            services.look_again,
        ),
        SetResource(set_view, ownership, sources, parts.rollbacks, visibility),
        LogResource(registry, logs, parts.timekeeper, lambda name: parts.instances.get(name) is not None),
        EventResource(registry, store, bus, visibility),
        RunResource(registry, loop, parts.runs),
        GraphResource(registry, sources),
        GroupResource(registry, publisher, visibility),
        MetricResource(MetricsView(registry, loop, parts.instances, publisher, set_view, clock)),
    )  # fmt: skip
