"""Single questions to an API server, beside the lists and watches: what people want to know of a few objects.

Asks for no more than the reflectors' role allows (list), one object or a page, and gives the items as plain values.
"""

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

from kdns import __version__
from kdns.cluster import decode, targets
from kdns.cluster.decode import DecodeError
from kdns.cluster.objects import Key, Resource
from kdns.sources.credentials import Account
from kdns.sources.errors import SourceError
from kdns.sources.wire import Link

_IDLE_S: Final = 10.0
_LIMIT_BYTES: Final = 64 << 20
_HEADERS: Final = {"Accept": "application/json", "User-Agent": f"kdns/{__version__}"}


class Asking:
    """Questions with one account's credentials, one after the other over one connection."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._link = Link()

    def close(self) -> None:
        """Gives the connection up."""
        self._link.close()

    async def one(self, resource: Resource, key: Key) -> Any | None:
        """The object; None if there is none. Raises SourceError."""
        items = await self._items(targets.one(resource, key).target)
        return items[0] if items else None

    async def labelled(self, resource: Resource, namespace: str, labels: dict[str, str]) -> list[Any]:
        """The objects of a namespace that have these labels, at most a page of them. Raises SourceError."""
        base = targets.page(resource, targets.PAGE_LIMIT).target.partition("?")[0].rpartition("/")[0]
        selector = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        query = urlencode({"labelSelector": selector, "limit": str(targets.PAGE_LIMIT)})
        return await self._items(f"{base}/namespaces/{quote(namespace, safe='')}/{resource}?{query}")

    async def some(self, resource: Resource) -> list[Any]:
        """The objects of all namespaces, at most a page of them. Raises SourceError."""
        return await self._items(targets.page(resource, targets.PAGE_LIMIT).target)

    async def _items(self, target: str) -> list[Any]:
        credentials = await self._account.credentials()
        headers = {**_HEADERS, **credentials.headers()}
        response = await self._link.get(
            credentials.peer(), credentials.base + target, headers, idle_s=_IDLE_S, limit_bytes=_LIMIT_BYTES
        )
        octets = await response.read(_IDLE_S)
        if response.status != 200:
            raise SourceError(_refusal(response.status, octets, target))
        try:
            items = json.loads(octets).get("items")
        except (ValueError, AttributeError) as error:
            raise SourceError(f"{target}: found what is no list in JSON: {error}") from error
        return items if isinstance(items, list) else []


def _refusal(status: int, octets: bytes, target: str) -> str:
    try:
        return f"{status} {decode.status(octets).message}"
    except DecodeError:
        return f"{status} for {target}"
