"""The cluster as a command reads it that isn't a server: once, and all names that it has then.

The same parts as the server's read and compile it. What can't be read within a few seconds is an error: nobody waits at a
prompt for an API server to come back.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from kdns.cli.progress import Progress
from kdns.cluster.objects import Resource
from kdns.config.settings import ClusterSource, ManifestSource, ReadSettings, SettingsError
from kdns.controller.feed import Feed, Wish
from kdns.diff.question import Question
from kdns.dns import types
from kdns.dns.names import Name
from kdns.dns.records import RecordSet
from kdns.ops import logs
from kdns.sources.errors import SourceError
from kdns.zone.entry import is_service, namespace_of
from kdns.zone.index import Index
from kdns.zone.listing import listing
from kdns.zone.terms import SVC, Zone, service_name

_PATIENCE_S: Final = 5.0  # with a source that is in trouble
_LOOK_S: Final = 0.05
_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_KUBECONFIG: Final = Path("~/.kube/config")


class Listed(NamedTuple):
    """All that is there at one moment."""

    sets: tuple[RecordSet, ...]
    services: tuple[Name, ...]  # those without any record, too
    namespaces: tuple[Name, ...]  # N.svc.ZONE of those that have a Service

    def questions(self) -> Iterator[Question]:
        """For the names that may have no record."""
        for name in (*self.services, *self.namespaces):
            yield Question(name, types.A)


def source_of(
    kubeconfig: str | None, context: str | None, manifests: tuple[str, ...]
) -> ClusterSource | ManifestSource:
    """What flags say, else what kubectl would take, else the pod's own. Raises SettingsError where there is nothing."""
    if manifests and (kubeconfig or context):
        raise SettingsError("--manifests and --kubeconfig are two clusters, expected one")
    if manifests:
        return ManifestSource(manifests)
    if kubeconfig or context or os.environ.get("KUBECONFIG") or _KUBECONFIG.expanduser().exists():
        return ClusterSource(kubeconfig or os.environ.get("KUBECONFIG") or str(_KUBECONFIG), context, audit_s=0)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and _TOKEN.exists():
        return ClusterSource(audit_s=0)
    raise SettingsError(
        "found no cluster, expected one of: --kubeconfig FILE (or KUBECONFIG in the environment, or ~/.kube/config);"
        " a pod with a service account"
    )


def read(source: ClusterSource | ManifestSource, origin: Name, shown: Progress) -> Listed:
    """All names of the cluster below a zone (folded). Raises SourceError."""
    logs.configure("error", "kdns")  # what is wrong with objects is for the server to say
    return asyncio.run(_read(source, origin, shown))


async def _read(source: ClusterSource | ManifestSource, origin: Name, shown: Progress) -> Listed:
    there = asyncio.Event()
    feed = Feed(Wish(source, ReadSettings()), lambda *_: there.set(), lambda: 0)
    running, seen = asyncio.create_task(feed.run()), asyncio.create_task(there.wait())
    since: float | None = None
    try:
        while not seen.done():
            await asyncio.wait((running, seen), timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            shown.text = reading(feed)
            trouble = _trouble(feed)
            now = asyncio.get_running_loop().time()
            since = None if trouble is None else since or now
            if trouble is not None and since is not None and now - since > _PATIENCE_S:
                raise SourceError(trouble)
        return _listed(feed, origin)
    finally:
        running.cancel()
        seen.cancel()
        await asyncio.gather(running, seen, return_exceptions=True)


def reading(feed: Feed) -> str:
    """How far it has been read, for people who wait."""
    store = feed.compiler.store
    parts = [f"{store.count(name)} {name}" if each.synced else f"{name} …" for name, each in feed.status().items()]
    return f"reading the cluster: {', '.join(parts)}"


def _trouble(feed: Feed) -> str | None:
    """What keeps the first resource that is needed from being read."""
    found: dict[Resource, str | None] = {name: each.trouble for name, each in feed.status().items() if not each.synced}
    return next((trouble for name, trouble in found.items() if trouble is not None and name in feed.required), None)


def _listed(feed: Feed, origin: Name) -> Listed:
    image = feed.image()
    assert image is not None, "something has been published"
    index = Index()
    index.load(image)
    zone = Zone((origin,), (), (), 0, "insecure")
    owners = [owner for owner in index.entries if is_service(owner)]
    namespaces = dict.fromkeys(Name(namespace_of(owner) + SVC + origin) for owner in owners)
    services = tuple(service_name(owner, origin) for owner in owners)
    return Listed(tuple(listing(index, zone, origin)), services, tuple(namespaces))
