"""Starts: time until a server is ready, the memory that it has then, and the most it has while it lists anew.

Starts are on all cores, as in a pod without a limit. Readiness is what /ready says. A relist is
forced by a write that no watch has seen, and killing the API server: the one that comes after it
answers 410 to every watch from before its start.
"""

import time
from dataclasses import dataclass
from typing import Final

from bench.api import Api
from bench.changes import change_once, first_answer
from bench.peers import Peer, Site, started, wait_until_ready
from bench.processes import Peak, pss_bytes
from tests.lab import Lab

# After which what was needed for the start alone has been given back.
SETTLE_S: Final = 3.0
_RELIST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Of one start."""

    ready_s: float
    steady_bytes: tuple[int, ...]  # PSS of each process, in the order of their starts


@dataclass(frozen=True, slots=True)
class Relist:
    """Of one relist, and of the start before it; PSS of all processes together."""

    start_peak_bytes: int
    steady_bytes: int
    peak_bytes: int
    after_bytes: int  # steady again
    lists: int  # of EndpointSlices that the new API server has given, a page being one; 0: nothing was forced
    samples: int  # that the peak was found in
    current_s: float | None  # from the API server's being back to an answer by a change made then; None: never


def start(peer: Peer, site: Site) -> Start:
    """Starts the server and ends it again."""
    with started(peer, site) as server:
        ready_s = wait_until_ready(server)
        time.sleep(SETTLE_S)
        return Start(ready_s, tuple(pss_bytes(server.pid).values()))


def relist(peer: Peer, site: Site, lab: Lab) -> Relist:
    """Starts the server and restarts the API server under it."""
    with started(peer, site) as server:
        with Peak(server.pid) as starting:
            wait_until_ready(server)
            time.sleep(SETTLE_S)
        steady = sum(pss_bytes(server.pid).values())
        with Peak(server.pid) as relisting:
            with Api(lab) as api:
                api.write_unrelated()
            lab.restart()
            current_s, lists = _until_current(lab, server.port)
        after = sum(pss_bytes(server.pid).values())
    return Relist(starting.tree_bytes, steady, relisting.tree_bytes, after, lists, relisting.samples, current_s)


def _until_current(lab: Lab, port: int) -> tuple[float | None, int]:
    """The seconds until a change made now is answered by, and how many lists were asked for until all is quiet."""
    with Api(lab) as api:
        before = time.monotonic()
        name, address = change_once(api)
        current = first_answer(port, name, address, before + _RELIST_S)
        took_s = time.monotonic() - before
        time.sleep(SETTLE_S)
        return took_s if current else None, api.lists()
