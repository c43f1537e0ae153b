"""Health and readiness: what the probes are told, as pure functions of the values handed in.

Health is 200 as long as somebody is there to say so: a kubelet that restarts the server
because the cluster is in trouble makes the trouble worse. Readiness is what each worker
reports to serve, never a ping; its body is CoreDNS': "OK", or the sorted comma list of the
plugins that aren't ready, and a line for each resource whose last proof of freshness is too long ago, where there is a
limit. With verbose a line each says what is missing and why.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

PLUGIN: Final = "kubernetes"  # what CoreDNS calls the part that waits for the cluster


class WorkerState(NamedTuple):
    """What a worker last said of its index."""

    synced: bool  # it has a whole index
    revision: int


class ResourceState(NamedTuple):
    """How far a resource is: listed whole, or why not."""

    synced: bool
    reason: str = ""  # in words for an operator, empty where there is nothing to say
    age_s: float | None = None  # since the last proof that it is current; None before, and where that doesn't matter
    snapshot_age_s: float | None = None  # of what is served of it until it is synced, where that comes from a snapshot


def health() -> tuple[int, str]:
    """Status and body of /health: always 200."""
    return 200, "OK"


def readiness(
    workers: Sequence[WorkerState | None],
    resources: Mapping[str, ResourceState],
    *,
    revision: int = 0,
    max_age_s: float = 0.0,
    snapshot_counts: bool = False,
    before: bool = False,
    notes: Sequence[str] = (),
    verbose: bool = False,
) -> tuple[int, str]:
    """Status and body of /ready: 200 once every resource is synced and every worker serves the synced index.

    None stands for a worker that isn't there or hasn't spoken yet; revision is the least that a worker must have, and
    max_age_s how long ago the last proof of a resource's freshness may be; 0 for any time. With snapshot_counts a
    resource from a snapshot is as good as synced, and the body says so. Where no cluster is read there are no
    resources, and none is waited for. With before it has been 200 once, and stays so. Notes are further lines that are
    worth knowing and keep nobody from being ready.
    """
    parts = [
        _resource(name, state, max_age_s, snapshot_counts=snapshot_counts) for name, state in sorted(resources.items())
    ]
    stale = [line for name, state in sorted(resources.items()) if (line := _staleness(name, state, max_age_s))]
    parts += [_worker(number, state, revision) for number, state in enumerate(workers)]
    ready = before or (bool(workers) and all(fine for fine, _ in parts))
    status, body = (200, f"OK{_age(resources.values())}") if ready else (503, PLUGIN)
    if stale and not verbose:
        body = "\n".join((body, *stale))
    if verbose:
        body = "".join(f"{line}\n" for line in (body, *(line for _, line in parts), *notes))
    return status, body


def _age(resources: Iterable[ResourceState]) -> str:
    """What is to be said of what comes from a snapshot."""
    ages = [state.snapshot_age_s for state in resources if state.snapshot_age_s is not None]
    return f", stale: from a snapshot {max(ages):.0f} s old" if ages else ""


def _staleness(name: str, state: ResourceState, max_age_s: float) -> str:
    """Why a resource is too old to be relied on; empty where it isn't."""
    if not max_age_s or state.age_s is None or state.age_s <= max_age_s:
        return ""
    why = f": {state.reason}" if state.reason else ""
    return f"{name}: not proven fresh for {state.age_s:.0f} s, at most {max_age_s:g} s are allowed{why}"


def _resource(name: str, state: ResourceState, max_age_s: float, *, snapshot_counts: bool) -> tuple[bool, str]:
    if stale := _staleness(name, state, max_age_s):
        return False, stale
    said = "synced" if state.synced else "not synced"
    if state.snapshot_age_s is not None:
        said += f", served from a snapshot {state.snapshot_age_s:.0f} s old"
    fine = state.synced or (snapshot_counts and state.snapshot_age_s is not None)
    return fine, f"{name}: {said}: {state.reason}" if state.reason else f"{name}: {said}"


def _worker(number: int, state: WorkerState | None, revision: int) -> tuple[bool, str]:
    if state is None:
        return False, f"worker {number}: not running"
    if not state.synced:
        return False, f"worker {number}: no index yet"
    if state.revision < revision:
        return False, f"worker {number}: serves revision {state.revision}, revision {revision} is needed"
    return True, f"worker {number}: serves revision {state.revision}"
