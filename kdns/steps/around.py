"""What a step may need of where it runs: handed to its maker, once.

Each directive's module has make(settings, around), which returns the step for one occurrence of the directive in one
server block; nothing is opened or sent before the first question. A step that counts has counts(): samples of families
in ops.metrics' table, by name and label values. A step that waits, or has sockets open, has close().
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from kdns.config.directives.kubernetes import Kubernetes
from kdns.dns.names import Name
from kdns.steps.carriers import Datagrams, Random
from kdns.steps.chain import Rest
from kdns.steps.lineformat import Labels
from kdns.steps.turns import Turns
from kdns.zone.entry import Owner
from kdns.zone.index import Index

Samples: TypeAlias = Mapping[tuple[str, tuple[str, ...]], float]


class Log(Protocol):
    """What of a structured logger is used by steps."""

    def info(self, event: str, **keys: Any) -> Any: ...
    def warning(self, event: str, **keys: Any) -> Any: ...
    def error(self, event: str, **keys: Any) -> Any: ...


def _nobody() -> None:
    """Has remembered nothing."""


@dataclass(frozen=True, slots=True)
class Around:
    """The surroundings of a server block's steps in one worker."""

    loop: asyncio.AbstractEventLoop  # its time is the only clock
    random: Random  # the system's generator
    entrance: Rest  # the server block's chain from its beginning, for what has to be asked for another name
    index: Index  # the cluster
    zones: tuple[Name, ...]  # of the server block's keys
    addresses: tuple[bytes, ...]  # the server's own, 4 or 16 octets
    datagrams: Datagrams | None  # many datagrams with one system call, where the system can
    log: Log
    labels: Labels | None = None  # of metadata, where the server block gathers some
    cluster: Kubernetes | None = None  # what the server block's kubernetes says
    # Takes the owners of which remembered replies are void; without it no step's replies but the cluster's are remembered.
    forget: Callable[[set[Owner]], None] | None = None
    # Called when anything may be answered otherwise than before: all remembered replies are void.
    forget_all: Callable[[], None] = _nobody
    turns: Turns | None = None  # in which what is sent is sent together
