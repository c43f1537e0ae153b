"""Where kdns explain looks: a running server, an API server or manifests, and the values that come of it.

A cluster that is read here is read by the feed that serves it, once: as soon as all has been listed the reading ends.
Imported only when there is something to explain.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from kdns.cli import pods
from kdns.cli.listed import reading as far
from kdns.cli.progress import Progress
from kdns.cluster.objects import SERVICE_LABEL, Key
from kdns.config.serving import Serving
from kdns.config.settings import Address, ClusterSource
from kdns.controller.explaining import freshness_of, notes_of, type_of, zones_of
from kdns.controller.feed import Feed, wish_of
from kdns.explain import explained
from kdns.explain.details import Details, detailed, details
from kdns.explain.evidence import Evidence, text
from kdns.explain.explanation import Explanation, Path, decode, retold
from kdns.explain.path import QuestionError, of_namespace, of_pod, pod_spec, question
from kdns.sources.api import ApiSource
from kdns.sources.api.account import account_of
from kdns.sources.api.asking import Asking
from kdns.sources.errors import SourceError
from kdns.sources.manifests import ManifestSource
from kdns.sources.synthesis import Found
from kdns.sources.wire import Link, Peer, WireError
from kdns.zone.index import Index

_LOOK_S: Final = 0.02
_READ_LIMIT_S: Final = 60.0  # for all lists
_ANSWER_LIMIT_S: Final = 10.0
_ANSWER_LIMIT_BYTES: Final = 16 << 20
_EXPECTED: Final = "expected a running kdns, at --server ADDR:PORT where its /ready is; --kubeconfig FILE or --manifests PATH need none"
_SERVICES_MAX: Final = 4  # of which more is read


class Asked(NamedTuple):
    """What was asked for on the command line."""

    name: str
    type: str
    namespace: str
    pod: str  # or empty
    zone: str  # the cluster's, for search paths


# A cluster read here


async def of_cluster(asked: Asked, settings: Serving, shown: Progress) -> Explanation:
    """By what is in manifests or an API server now. Raises SourceError and QuestionError."""
    rtype = type_of(asked.type)
    question(asked.name, rtype, of_namespace(asked.namespace, asked.zone))  # told before anything is read
    feed = await _read(settings, shown)
    zones = zones_of(settings)
    zone = text(zones[0].origins[0]) if zones else asked.zone
    source = feed.source
    written = source.written() if isinstance(source, ManifestSource) else ()
    asking = Asking(source.account) if isinstance(source, ApiSource) else None
    with closing(asking) if asking is not None else _Nothing():
        path = await _path(asked._replace(zone=zone), asking, written)
        wanted = question(asked.name, rtype, path)
        evidence = Evidence(
            source=_named(settings),
            zones=zones,
            index=Index.of_addresses(feed.compiler.image(), explained.addresses_of(wanted, zones)),
            store=feed.compiler.store,
            freshness=freshness_of(feed, ()),
            reading=feed.wish.reading,
            notes=notes_of(settings),
            places={(each.kind, each.key): each.place for each in written},
        )
        keys = explained.services_of(explained.explain(wanted, evidence))[:_SERVICES_MAX]
        more = {key: await _details(key, asking, written) for key in keys}
    return explained.explain(wanted, replace(evidence, details=more))


class _Nothing:
    """Needs no end."""

    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


async def _read(settings: Serving, shown: Progress) -> Feed:
    """A feed that has published all there is. Raises SourceError."""
    wish = wish_of(settings)
    if isinstance(wish.source, ClusterSource):
        wish = wish._replace(source=replace(wish.source, audit_s=0.0))
    if wish.source is None:
        raise SourceError("no server block has the directive kubernetes, so there is no cluster to look at")
    feed = Feed(wish._replace(snapshot=None), lambda _feed, _patch, _change: None, lambda: 0)
    reading = asyncio.ensure_future(feed.run())
    try:
        async with asyncio.timeout(_READ_LIMIT_S):
            while not (feed.compiler.synced and feed.compiler.revision):
                await asyncio.wait((reading,), timeout=_LOOK_S)
                shown.text = far(feed)
                if reading.done():
                    reading.result()
                for resource, status in feed.status().items():
                    if status.trouble and resource in feed.required and not status.synced:
                        raise SourceError(status.trouble)
    except TimeoutError as error:
        raise SourceError(f"the cluster couldn't be read within {_READ_LIMIT_S:g} s") from error
    finally:
        reading.cancel()
        await asyncio.wait((reading,))
    shown.text = "looking at what is behind"
    return feed


def _named(settings: Serving) -> str:
    if not isinstance(settings.source, ClusterSource):
        return f"manifests {', '.join(settings.source.paths)}" if settings.source is not None else "nothing"
    if settings.source.kubeconfig is not None:
        return f"the API server of {settings.source.kubeconfig}"
    return "the API server"


async def _path(asked: Asked, asking: Asking | None, written: Sequence[Found]) -> Path:
    """The search path of the pod, or of any in the namespace. Raises SourceError where there is no such pod."""
    if not asked.pod:
        return of_namespace(asked.namespace, asked.zone)
    key = Key(asked.namespace, asked.pod)
    pod = pods.of_manifests(key, written) if asking is None else await pods.of_server(key, asking)
    return of_pod(pod_spec(pod), key.namespace, key.name, asked.zone)


async def _details(key: Key, asking: Asking | None, written: Sequence[Found]) -> Details:
    """What people want to know of a Service and its endpoints."""
    if asking is None:
        return _written_details(key, written)
    service, slices, behind, notes = None, [], [], []
    try:
        service = await asking.one("services", key)
        slices = await asking.labelled("endpointslices", key.namespace, {SERVICE_LABEL: key.name})
    except SourceError as error:
        notes.append(f"{key.namespace}/{key.name} can't be read: {error}")
    selector = (service or {}).get("spec", {}).get("selector")
    if isinstance(selector, dict) and selector:
        try:
            behind = await asking.labelled("pods", key.namespace, selector)
        except SourceError as error:
            notes.append(f"since when endpoints are ready can't be told, as pods can't be read: {error}")
    return details(service, slices, behind, "; ".join(notes))


def _written_details(key: Key, written: Sequence[Found]) -> Details:
    def of(kind: str, fits: Callable[[Found], bool]) -> list[Any]:
        return [
            each.value for each in written if each.kind == kind and each.key.namespace == key.namespace and fits(each)
        ]

    services = of("Service", lambda each: each.key == key)
    slices = of("EndpointSlice", lambda each: _label(each) == key.name)
    return details(next(iter(services), None), slices, of("Pod", lambda _: True))


def _label(found: Found) -> str:
    labels = found.value["metadata"].get("labels")
    return str(labels.get(SERVICE_LABEL, "")) if isinstance(labels, dict) else ""


# A running server


async def of_server(asked: Asked, server: Address, kubeconfig: ClusterSource | None) -> Explanation:
    """By what a running server says. The kubeconfig's cluster tells what a server doesn't keep: the pod's path, who is
    ready since when. Raises SourceError and QuestionError.
    """
    question(asked.name, type_of(asked.type), of_namespace(asked.namespace, asked.zone))
    fields: list[tuple[str, str]] = [("name", asked.name), ("type", asked.type), ("from", asked.namespace)]
    if asked.pod and kubeconfig is not None:
        with closing(Asking(account_of(kubeconfig, os.environ))) as asking:
            path = await _path(asked, asking, ())
        fields += [("ndots", str(path.ndots)), ("whose", path.whose), ("note", path.note)]
        fields += [("search", each) for each in path.search]
    told = _told(await _fetched(server, fields), server, asked, with_pod=kubeconfig is not None)
    if kubeconfig is None:
        return told
    with closing(Asking(account_of(kubeconfig, os.environ))) as asking:
        keys = explained.services_of(told)[:_SERVICES_MAX]
        return detailed(told, {key: await _details(key, asking, ()) for key in keys})


async def _fetched(server: Address, fields: Sequence[tuple[str, str]]) -> tuple[int, bytes]:
    """Status and body of the server's page. Raises SourceError."""
    link = Link()
    try:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            response = await link.get(
                Peer(server.host or "127.0.0.1", server.port),
                f"/explain?{urlencode(fields)}",
                {},
                idle_s=_ANSWER_LIMIT_S,
                limit_bytes=_ANSWER_LIMIT_BYTES,
            )
            return response.status, await response.read(_ANSWER_LIMIT_S)
    except TimeoutError as error:
        raise SourceError(f"http://{server}: no answer within {_ANSWER_LIMIT_S:g} s") from error
    except WireError as error:
        raise SourceError(f"{error}; {_EXPECTED}") from error
    finally:
        link.close()


def _told(answer: tuple[int, bytes], server: Address, asked: Asked, *, with_pod: bool) -> Explanation:
    status, octets = answer
    if status == 400:
        raise QuestionError(octets.decode("utf-8", "replace").strip())
    if status != 200:
        raise SourceError(f"http://{server}/explain: found status {status}, expected kdns' page /explain")
    try:
        told = decode(octets)
    except ValueError as error:
        raise SourceError(f"http://{server}/explain: found no explanation: {error}") from error
    notes = told.notes
    if asked.pod and not with_pod:
        notes = (
            *notes,
            f"pod {asked.namespace}/{asked.pod} wasn't read: --kubeconfig FILE would say what its dnsConfig is",
        )
    return retold(told, f"the server at {server}", notes)
