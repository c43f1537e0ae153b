"""Lists read once, for commands: a GET each with the account's credentials, no watch and no second try.

What the API server refuses is the answer for that list alone; that it can't be reached is an error.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import closing
from typing import Final, TypeAlias

import msgspec

from kdns import __version__
from kdns.cluster.patience import LIST_IDLE_S
from kdns.config.settings import ClusterSource
from kdns.sources.api.account import account_of
from kdns.sources.credentials import Credentials
from kdns.sources.errors import SourceError
from kdns.sources.wire import Link

Object: TypeAlias = Mapping[str, object]

_LIMIT_BYTES: Final = 64 << 20
_HEADERS: Final = {"Accept": "application/json", "User-Agent": f"kdns/{__version__}"}


class _List(msgspec.Struct):
    items: list[dict[str, object]] | None = None


class _Refusal(msgspec.Struct):
    message: str = ""


async def lists(source: ClusterSource, targets: Mapping[str, str]) -> dict[str, tuple[Object, ...] | str]:
    """The objects of each list, by its name, or why there are none. Raises SourceError."""
    credentials = await account_of(source, os.environ).credentials()
    found = await asyncio.gather(*(_list(credentials, target) for target in targets.values()))
    return dict(zip(targets, found, strict=True))


async def _list(credentials: Credentials, target: str) -> tuple[Object, ...] | str:
    with closing(Link()) as link:
        response = await link.get(
            credentials.peer(),
            credentials.base + target,
            {**_HEADERS, **credentials.headers()},
            idle_s=LIST_IDLE_S,
            limit_bytes=_LIMIT_BYTES,
        )
        octets = await response.read(LIST_IDLE_S)
    if response.status != 200:
        return _refusal(response.status, octets)
    try:
        return tuple(msgspec.json.decode(octets, type=_List).items or ())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"{credentials.peer()}{target}: {error}, expected a list") from error


def _refusal(status: int, octets: bytes) -> str:
    try:
        message = msgspec.json.decode(octets, type=_Refusal).message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = ""
    return f"{status}, {message}" if message else str(status)
