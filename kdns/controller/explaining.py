"""The page /explain: why this server answers a name as it does, from its own store and at its own revision.

What it says is bounded in work: one at a time, and no more than a fifth of the loop's time, since anybody who reaches the
page may ask. Imported when it is asked for the first time.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.mnemonics import TYPES
from kdns.config.resolvconf import NDOTS_MAX
from kdns.config.serving import Serving
from kdns.config.table import name_of
from kdns.controller.feed import Feed
from kdns.dns import types
from kdns.explain import explained
from kdns.explain.evidence import Evidence, text
from kdns.explain.explanation import Explanation, Freshness, Path, Resource, encode
from kdns.explain.path import SEARCH_MAX, QuestionError, of_namespace, question
from kdns.ops.listener import Response
from kdns.serve.local import own_addresses
from kdns.zone.described import zone_of
from kdns.zone.index import Index
from kdns.zone.terms import Zone

NAMESPACE: Final = "default"  # of who names none
_SHARE: Final = 4  # so many times as long as one explanation took the next has to wait
_TEXT_MAX: Final = 1024  # characters of a name
_META: Final = range(types.TKEY, types.ANY)  # types of questions that have no records
# They come before kubernetes, and may answer a name, or ask for another one.
_BEFORE: Final = ("acl", "rewrite", "hosts", "template", "file", "auto")


class Explaining:
    """Makes the page."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._next = 0.0  # by the loop's clock

    async def page(self, query: str, feed: Feed, settings: Serving, workers: Sequence[int | None]) -> Response:
        """The explanation that the query asks for, as JSON, or 400 and what is wrong with it."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._next - loop.time())
            began = time.monotonic()
            try:
                told = _explanation(query, feed, settings, workers)
            except QuestionError as error:
                return 400, "text/plain; charset=utf-8", f"{error}\n".encode(errors="replace")
            finally:
                self._next = loop.time() + _SHARE * (time.monotonic() - began)
        return 200, "application/json", encode(told)


def _explanation(query: str, feed: Feed, settings: Serving, workers: Sequence[int | None]) -> Explanation:
    zones = zones_of(settings)
    try:
        given = parse_qs(query, keep_blank_values=True, max_num_fields=SEARCH_MAX + 8)
    except ValueError as error:
        raise QuestionError(
            f"found a query with too much in it, expected name, type, from, search, ndots: {error}"
        ) from error
    path = _path(given, text(zones[0].origins[0]) if zones else "cluster.local")
    asked = question(_one(given, "name"), type_of(_one(given, "type")), path)
    image = feed.compiler.image()
    index = Index.of_addresses(image, explained.addresses_of(asked, zones))
    evidence = Evidence(
        source="the running server",
        zones=zones,
        index=index,
        store=feed.compiler.store,
        freshness=freshness_of(feed, workers),
        reading=feed.wish.reading,
        notes=notes_of(settings),
    )
    return explained.explain(asked, evidence)


def _one(given: dict[str, list[str]], field: str) -> str:
    value = given.get(field, [""])[-1]
    if len(value) > _TEXT_MAX:
        raise QuestionError(f"found {field} of {len(value)} characters, expected at most {_TEXT_MAX}")
    return value


def _path(given: dict[str, list[str]], zone: str) -> Path:
    """The search path as it is given, else that of a namespace. Raises QuestionError."""
    if "ndots" not in given:
        return of_namespace(_one(given, "from") or NAMESPACE, zone)
    ndots = _one(given, "ndots")
    if not (ndots.isascii() and ndots.isdigit() and len(ndots) < 4 and int(ndots) <= NDOTS_MAX):
        raise QuestionError(f'found ndots "{ndots[:20]}", expected 0 to {NDOTS_MAX}')
    search = tuple(each for each in given.get("search", ()) if len(each) <= _TEXT_MAX)[:SEARCH_MAX]
    return Path(whose=_one(given, "whose") or "somebody", search=search, ndots=int(ndots), note=_one(given, "note"))


def type_of(name: str) -> int | None:
    """The type of that name or TYPE123; None of no name. Raises QuestionError."""
    if not name:
        return None
    upper = name.upper()
    digits = upper.removeprefix("TYPE")
    number = TYPES.get(upper)
    if number is None and digits != upper and digits.isascii() and digits.isdigit() and len(digits) < 6:
        number = int(digits)
    if number is None or not 0 < number < 1 << 16 or number in _META or number == types.OPT:
        raise QuestionError(f'found type "{name[:20]}", expected one that records have, such as A, AAAA, SRV or PTR')
    return number


def zones_of(settings: Serving) -> tuple[Zone, ...]:
    """The zones of all kubernetes directives."""
    every = [each for block in settings.servers.blocks for each in block.each(Kubernetes)]
    addresses = own_addresses(listener.address for listener in settings.servers.listeners) if every else ()
    return tuple(zone_of(each, addresses) for each in every)


def notes_of(settings: Serving) -> tuple[str, ...]:
    """What may answer before the cluster's zone does."""
    found: dict[str, None] = {}
    for block in settings.servers.blocks:
        before = [name_of(each) for each in block.settings]
        if "kubernetes" in before:
            found |= dict.fromkeys(each for each in before[: before.index("kubernetes")] if each in _BEFORE)
    if not found:
        return ()
    return (f"before kubernetes come {', '.join(found)}, which may answer otherwise and aren't looked at here",)


def freshness_of(feed: Feed, workers: Sequence[int | None]) -> Freshness:
    """How current what the feed knows is."""
    compiler = feed.compiler
    resources = []
    for name, status in feed.status().items():
        age_s = feed.age_s(name, status)
        resources.append(
            Resource(
                name=name,
                synced=status.synced,
                age_s=None if age_s is None else round(age_s, 3),
                trouble=status.trouble or "",
                objects=compiler.store.count(name),
            )
        )
    return Freshness(
        revision=compiler.revision,
        serial=compiler.serial,
        stale=compiler.stale,
        resources=tuple(resources),
        workers=tuple(workers),
    )


__all__ = ["Explaining", "freshness_of", "notes_of", "type_of", "zones_of"]
