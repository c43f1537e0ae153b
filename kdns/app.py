"""Where the parts are joined: settings in, a running server out.

serve opens the sockets and supervises; the controller, one of the processes, reads the
cluster, compiles patches and sends them to the workers, and answers probes and Prometheus.
What only the controller needs (YAML, HTTP, JSON decoding) is imported in its process alone, what
only workers need once it is at work: it takes longest to get ready.
"""

import asyncio
import gc
import os
import sys
from dataclasses import replace
from functools import partial

import structlog

from kdns.config.settings import Settings, SettingsError
from kdns.ops import logs
from kdns.serve.control import ControllerStart, WorkerStart
from kdns.serve.sockets import address_of, open_ops, open_sockets
from kdns.serve.supervisor import supervise


def serve(settings: Settings) -> int:
    """Serves until told to stop; the exit status. Raises SettingsError before anything is served."""
    logs.configure(settings.log_level, "supervisor")
    log = structlog.get_logger()
    opened = open_sockets(settings.listen, settings.workers)
    settings = replace(settings, listen=opened.listen)
    ops = open_ops({"health": settings.ops.health, "ready": settings.ops.ready, "metrics": settings.ops.metrics})
    log.info(
        "listening",
        dns=" ".join(map(str, settings.listen)),
        workers=settings.workers,
        **{name: str(address_of(sock)) for name, sock in ops.items()},
    )
    gc.freeze()  # what is imported by now is shared with the children: no collection shall copy its pages
    return supervise(
        slots=opened.slots,
        ops=ops,
        run_worker=partial(run_worker, settings=settings),
        run_controller=partial(run_controller, settings=settings),
        prepare=_prepare_workers,
        log=log,
    )


def _prepare_workers() -> None:
    """Imports what all workers share."""
    import kdns.serve.worker  # noqa: F401, PLC0415

    gc.freeze()


def run_worker(start: WorkerStart, settings: Settings) -> int:
    """A worker process; its exit status."""
    from kdns.serve import worker  # noqa: PLC0415 - as above

    return worker.run_worker(start, settings)


def run_controller(start: ControllerStart, settings: Settings) -> int:
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
