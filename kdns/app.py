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
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

import structlog

from kdns.config.directives.places import Tls
from kdns.config.served import unserved
from kdns.config.serving import Servers, Serving
from kdns.config.settings import SettingsError
from kdns.ops import logs
from kdns.serve.configuration import FIRST, Attempt, Coming, Configuration
from kdns.serve.control import ControllerStart, WorkerStart
from kdns.serve.listening import Listening, Opened
from kdns.serve.pidfile import pidfile
from kdns.serve.sockets import address_of
from kdns.serve.supervisor import Parts, supervise
from kdns.serve.tls import context_of


class Found(Protocol):
    """A configuration that was read."""

    @property
    def servers(self) -> Servers | None: ...  # None where it can't be served
    @property
    def lines(self) -> tuple[str, ...]: ...  # what is wrong with it


class Rereadable(Protocol):
    """A configuration that can be read again."""

    @property
    def seen(self) -> str: ...  # config.seen.pack of what was read last
    @property
    def digest(self) -> str: ...  # of that
    def read(self) -> Found: ...
    def settings(self, servers: Servers) -> Serving: ...
    def again(self, seen: str) -> Serving: ...


def _here(call: Callable[[], Opened]) -> Opened:
    return call()


def serve(
    settings: Serving,
    corefile: Rereadable | None = None,
    *,
    within: Callable[[Callable[[], Opened]], Opened] = _here,
) -> int:
    """Serves until told to stop; the exit status. Raises SettingsError before anything is served.

    Where the settings have come from a corefile, as it was read last, they change with it. within calls what opens the
    sockets: in another network, say.
    """
    logs.configure(settings.log_level, "supervisor")
    log = structlog.get_logger()
    _check_served(settings)
    _check_files(settings)
    configuration = _configuration_of(settings, corefile)
    listening = Listening(settings.workers)
    opened = within(partial(listening.open, configuration))
    if not settings.quiet:
        dns = " ".join(map(str, opened.listen))
        log.info("listening", dns=dns, workers=settings.workers, **_places(opened.ops))
    gc.freeze()  # what is imported by now is shared with the children: no collection shall copy its pages
    settings_of = partial(_settings_of, settings, corefile)
    parts = Parts(
        worker=partial(run_worker, settings_of=settings_of),
        controller=partial(run_controller, settings_of=settings_of),
        prepare=_prepare_workers,
        read=None if corefile is None else partial(_attempt, corefile, settings),
        attended=settings.attended,
    )
    with pidfile(settings.pidfile):
        return supervise(configuration, listening, parts, log=log)


def _configuration_of(settings: Serving, corefile: Rereadable | None) -> Configuration:
    """What of the settings the supervisor has to know."""
    listeners = settings.servers.listeners
    return Configuration(
        listen=tuple(listener.address for listener in listeners),
        streams=tuple(listener.address for listener in listeners if listener.scheme == "tls"),
        ops=tuple(settings.probes.pages().items()),
        lameduck_s=settings.lameduck_s,
        digest="" if corefile is None else corefile.digest,
        seen="" if corefile is None else corefile.seen,
    )


def _settings_of(first: Serving, corefile: Rereadable | None, start: WorkerStart | ControllerStart | Coming) -> Serving:
    """The settings of a generation, with the ports that 0 became. Raises SettingsError."""
    settings = first if start.generation == FIRST or corefile is None else corefile.again(start.seen)
    listeners = tuple(
        listener._replace(address=address)
        for listener, address in zip(settings.servers.listeners, start.listen, strict=True)
    )
    return replace(settings, servers=settings.servers._replace(listeners=listeners))


def _attempt(corefile: Rereadable, before: Serving) -> Attempt:
    """What comes of the Corefile as it is now: all that the start would look at, so that nothing is left to fail later."""
    logs.configure(before.log_level, "reader")
    may_pass = False
    try:
        found = corefile.read()
        if found.servers is None:
            return Attempt(corefile.seen, None, "\n".join(found.lines))
        settings = corefile.settings(found.servers)
        _check_served(settings)
        may_pass = True
        _check_files(settings)
    except SettingsError as error:
        return Attempt(corefile.seen, None, str(error), may_pass)
    return Attempt(corefile.seen, _configuration_of(settings, corefile), "\n".join(found.lines))


def _check_served(settings: Serving) -> None:
    """Raises SettingsError for a directive that would do nothing."""
    missing = sorted({name for block in settings.servers.blocks for name in unserved(block)})
    if missing:
        raise SettingsError(f"found {', '.join(missing)}, which this version reads and doesn't do; take them out")


def _check_files(settings: Serving) -> None:
    """Raises SettingsError for certificates that can't be used; the next moment they may be there."""
    for block in settings.servers.blocks:
        for tls in block.each(Tls):
            context_of(tls)


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


def run_worker(start: WorkerStart, settings_of: Callable[[WorkerStart], Serving]) -> int:
    """A worker process; its exit status."""
    from kdns.serve import worker  # noqa: PLC0415 - as above

    return worker.run_worker(start, settings_of(start))


def run_controller(start: ControllerStart, settings_of: Callable[[ControllerStart | Coming], Serving]) -> int:
    """The controller process; its exit status.

    What only the operator can mend ends the whole server (EX_CONFIG) at its start. Later, workers serve what they
    have, and the next controller may find things mended.
    """
    from kdns.controller.steward import control  # noqa: PLC0415
    from kdns.sources.errors import SourceError  # noqa: PLC0415 - its imports belong to this process alone

    settings = settings_of(start)
    logs.configure(settings.log_level, "controller")
    try:
        return asyncio.run(control(start, settings, settings_of))
    except (SourceError, SettingsError) as error:
        if start.restarts:
            structlog.get_logger().error("controller_cannot_start", reason=str(error))
            return os.EX_DATAERR
        sys.stderr.write(f"kdns: {error}\n")
        return os.EX_CONFIG


__all__ = ["run_controller", "run_worker", "serve"]
