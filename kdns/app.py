"""Where the parts are joined: settings in, a running server out.

serve opens the sockets and supervises; the controller, one of the processes, reads the
cluster, compiles patches and sends them to the workers, and answers probes and Prometheus.
What only the controller needs (YAML, HTTP, JSON decoding) is imported in its process alone, what
only workers need once it is at work: it takes longest to get ready.
"""

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import structlog

from kdns.config.directives.places import Tls
from kdns.config.served import WITHOUT_EFFECT, unserved
from kdns.config.serving import Serving
from kdns.config.settings import SettingsError
from kdns.config.table import name_of
from kdns.ops import logs
from kdns.serve.control import ControllerStart, WorkerStart
from kdns.serve.pidfile import pidfile
from kdns.serve.sockets import SlotSockets, address_of, open_ops, open_sockets
from kdns.serve.supervisor import supervise
from kdns.serve.tls import context_of


def serve(settings: Serving) -> int:
    """Serves until told to stop; the exit status. Raises SettingsError before anything is served."""
    logs.configure(settings.log_level, "supervisor")
    log = structlog.get_logger()
    _check_served(settings)
    settings, slots = _open(settings)
    ops = open_ops(
        {f"{page} {address}": address for page, addresses in settings.probes._asdict().items() for address in addresses}
    )
    if not settings.quiet:
        log.info(
            "listening",
            dns=" ".join(str(listener.address) for listener in settings.servers.listeners),
            workers=settings.workers,
            **_places(ops),
        )
    gc.freeze()  # what is imported by now is shared with the children: no collection shall copy its pages
    with pidfile(settings.pidfile):
        return supervise(
            slots=slots,
            ops=ops,
            run_worker=partial(run_worker, settings=settings),
            run_controller=partial(run_controller, settings=settings),
            prepare=_prepare_workers,
            lameduck_s=settings.lameduck_s,
            log=log,
        )


def _check_served(settings: Serving) -> None:
    """Raises SettingsError for a directive that would do nothing, but for those that are told of and left out."""
    missing = sorted({name for block in settings.servers.blocks for name in unserved(block)})
    found = {type(each): each for block in settings.servers.blocks for each in block.settings}
    for kind, reason in WITHOUT_EFFECT.items():
        if kind in found:
            structlog.get_logger().warning("directive_without_effect", directive=name_of(found[kind]), reason=reason)
    if missing:
        raise SettingsError(f"found {', '.join(missing)}, which this version reads and doesn't do; take them out")


def _open(settings: Serving) -> tuple[Serving, tuple[SlotSockets, ...]]:
    """The sockets of all listeners, and the settings with the ports that 0 became."""
    servers = settings.servers
    streams = [listener.address for listener in servers.listeners if listener.scheme == "tls"]
    for block in servers.blocks:
        for tls in block.each(Tls):
            context_of(tls)
    opened = open_sockets([listener.address for listener in servers.listeners], settings.workers, streams)
    listeners = tuple(
        listener._replace(address=address) for listener, address in zip(servers.listeners, opened.listen, strict=True)
    )
    return replace(settings, servers=servers._replace(listeners=listeners)), opened.slots


def _places(ops: Mapping[str, socket.socket]) -> dict[str, str]:
    """Where each page is, for the log."""
    places: dict[str, list[str]] = {}
    for name, sock in ops.items():
        places.setdefault(name.partition(" ")[0], []).append(str(address_of(sock)))
    return {page: " ".join(addresses) for page, addresses in places.items()}


def _prepare_workers() -> None:
    """Imports what all workers share."""
    import kdns.serve.worker  # noqa: F401, PLC0415

    gc.freeze()


def run_worker(start: WorkerStart, settings: Serving) -> int:
    """A worker process; its exit status."""
    from kdns.serve import worker  # noqa: PLC0415 - as above

    return worker.run_worker(start, settings)


def run_controller(start: ControllerStart, settings: Serving) -> int:
    """The controller process; its exit status.

    What only the operator can mend ends the whole server (EX_CONFIG) at its start. Later, workers serve what they
    have, and the next controller may find things mended.
    """
    from kdns.controller import control  # noqa: PLC0415 - its imports belong to this process alone
    from kdns.sources.errors import SourceError  # noqa: PLC0415

    logs.configure(settings.log_level, "controller")
    try:
        return asyncio.run(control(start, settings))
    except (SourceError, SettingsError) as error:
        if start.restarts:
            structlog.get_logger().error("controller_cannot_start", reason=str(error))
            return os.EX_DATAERR
        sys.stderr.write(f"kdns: {error}\n")
        return os.EX_CONFIG


__all__ = ["run_controller", "run_worker", "serve"]
