"""Which servers the targets of a forward are at present: addresses as they are, files and host names as they change.

A file like resolv.conf is looked at every few seconds and read when it is another one; a host name is asked for at the
start and again when its records' time is over. What can't be read or resolved leaves what was known before, and says so
once. Who asks for names is handed in.
Standards: resolv.conf(5).
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from kdns.config import resolvconf
from kdns.config.endpoints import DNS_PORT, Transport
from kdns.config.endpoints import Upstream as Target
from kdns.config.settings import Address
from kdns.dns import names, types
from kdns.dns.foreign import ForeignError
from kdns.dns.lasting import Lasting, lasting
from kdns.dns.names import Name
from kdns.dns.query import Query
from kdns.dns.wire import HEADER_SIZE, records_at
from kdns.steps.around import Log
from kdns.steps.chain import Done, Outcome, Peer, Relayed, Request

LOOK_S: Final = 5.0  # between two looks at files
AGAIN_S: Final = 5.0  # until a name that couldn't be resolved is asked for again; the least that one is kept
KEPT_S: Final = 300.0  # the longest that a name's addresses are kept

_FILE_LIMIT: Final = 65536  # octets read of a file
_NOBODY: Final = Peer("", 0)

Ask: TypeAlias = Callable[[Request, Done], Outcome | None]


class Place(NamedTuple):
    """A server: where it listens, what is spoken there, which names its certificate may have, and what HTTP asks for."""

    address: Address
    transport: Transport = "dns"
    server_name: str = ""  # that the settings give to it alone
    host: str = ""  # whose address it is, where TLS is spoken and a host was asked for
    path: str = ""


class Targets:
    """The targets of one forward, and what has come of them."""

    __slots__ = ("_ask", "_changed", "_files", "_found", "_log", "_loop", "_targets", "_timers", "_troubled")

    def __init__(
        self,
        targets: Sequence[Target],
        loop: asyncio.AbstractEventLoop,
        ask: Ask,
        changed: Callable[[tuple[Place, ...]], None],
        log: Log,
    ) -> None:
        """Tells changed of all places there are, now and whenever they change; ask is who knows host names."""
        self._targets = tuple(_as_file(target) for target in targets)
        self._loop = loop
        self._ask = ask
        self._changed = changed
        self._log = log
        self._found: dict[Target, tuple[Place, ...]] = {}
        self._files: dict[str, object] = {}  # of each file what tells that it is another one
        self._troubled: set[str] = set()  # whose trouble has been told
        self._timers: set[asyncio.TimerHandle] = set()
        for target in self._targets:
            if target.sort == "address":
                self._found[target] = (_place(target, Address(target.host, target.port)),)
        self._read()
        self._tell()
        if any(target.sort == "file" for target in self._targets):
            self._later(LOOK_S, self._look)
        for target in self._targets:
            if target.sort == "host":
                self._later(0.0, partial(self._resolve, target))

    def close(self) -> None:
        """Looks at nothing any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        def due() -> None:
            self._timers.discard(timer)
            call()

        timer = self._loop.call_later(seconds, due)
        self._timers.add(timer)

    def _tell(self) -> None:
        places = (place for target in self._targets for place in self._found.get(target, ()))
        self._changed(tuple(dict.fromkeys(places)))

    def _look(self) -> None:
        """Reads the files that have changed."""
        self._later(LOOK_S, self._look)
        before = dict(self._found)
        self._read()
        if self._found != before:
            self._tell()
            servers = [str(place.address) for places in self._found.values() for place in places]
            self._log.info("upstreams_changed", upstreams=servers)

    def _read(self) -> None:
        for target in self._targets:
            if target.sort != "file":
                continue
            try:
                found = Path(target.host).stat()
                state = (found.st_mtime_ns, found.st_ino, found.st_size)
                if self._files.get(target.host) != state:
                    self._learn_file(target)
                    self._files[target.host] = state
            except OSError as error:
                self._trouble(target.host, error.strerror or str(error))

    def _learn_file(self, target: Target) -> None:
        """Raises OSError."""
        with Path(target.host).open("rb") as file:
            said = resolvconf.parse(file.read(_FILE_LIMIT).decode("utf-8", "replace"))
        if said.nameservers:
            self._found[target] = tuple(_place(target, Address(host, DNS_PORT)) for host in said.nameservers)
            self._troubled.discard(target.host)
        else:
            self._trouble(target.host, "names no server")

    def _trouble(self, target: str, reason: str) -> None:
        """Says once what is wrong with a target."""
        if target not in self._troubled:
            self._troubled.add(target)
            kept = [str(place.address) for each in self._targets if each.host == target for place in self._known(each)]
            self._log.warning("upstream_unknown", target=target, reason=reason, goes_on_with=kept)

    def _known(self, target: Target) -> tuple[Place, ...]:
        return self._found.get(target, ())

    def _resolve(self, target: Target) -> None:
        """Asks for the addresses of a host, of either family."""
        _Resolution(self._ask, names.from_text(target.host), partial(self._resolved, target)).begin()

    def _resolved(self, target: Target, found: "Found") -> None:
        if not found.hosts:
            self._trouble(target.host, "can't be resolved")
            self._later(AGAIN_S, partial(self._resolve, target))
            return
        self._troubled.discard(target.host)
        places = tuple(_place(target, Address(host, target.port)) for host in found.hosts)
        if places != self._found.get(target):
            self._found[target] = places
            self._tell()
            self._log.info("upstreams_changed", upstreams=[str(place.address) for place in places])
        self._later(min(max(found.ttl, AGAIN_S), KEPT_S), partial(self._resolve, target))


class Found(NamedTuple):
    """The addresses of a host, and how many seconds they may be kept."""

    hosts: tuple[str, ...]
    ttl: float


class _Resolution:
    """Two questions for a name, and one answer of both."""

    __slots__ = ("_ask", "_done", "_found", "_name")

    def __init__(self, ask: Ask, name: Name, done: Callable[[Found], None]) -> None:
        self._ask = ask
        self._name = name
        self._done = done
        self._found: dict[int, Found] = {}

    def begin(self) -> None:
        for rtype in (types.A, types.AAAA):
            query = Query(self._name, rtype)
            outcome = self._ask(Request(query, _NOBODY, "udp"), partial(self._learn, query))
            if outcome is not None:
                self._learn(query, outcome)

    def _learn(self, query: Query, outcome: Outcome) -> None:
        self._found[query.qtype] = _addresses(query, outcome)
        if len(self._found) == 2:
            both = self._found[types.A], self._found[types.AAAA]
            ttl = min((each.ttl for each in both if each.hosts), default=0.0)
            self._done(Found(both[0].hosts + both[1].hosts, ttl))


def _addresses(query: Query, outcome: Outcome) -> Found:
    """The addresses that a reply has; none of what is no answer."""
    try:
        found = lasting(query, outcome.octets) if isinstance(outcome, Relayed) else None
    except ForeignError:
        found = None
    if found is None or found.denial:
        return Found((), 0.0)
    return Found(tuple(_texts(query, found)), found.ttl)


def _texts(query: Query, found: Lasting) -> list[str]:
    family, size = (socket.AF_INET, 4) if query.qtype == types.A else (socket.AF_INET6, 16)
    octets = found.octets
    answers = int.from_bytes(octets[6:8], "big")
    records = records_at(octets, HEADER_SIZE + len(query.qname) + 4, answers)
    data = [octets[record.data : record.end] for record in records if record.rtype == query.qtype]
    return [socket.inet_ntop(family, each) for each in data if len(each) == size]


def _as_file(target: Target) -> Target:
    """A host that is the name of a file is that file, as CoreDNS has it."""
    return target._replace(sort="file") if target.sort == "host" and Path(target.host).is_file() else target


def _place(target: Target, address: Address) -> Place:
    host = target.host if target.sort == "host" and target.transport != "dns" else ""
    return Place(address, target.transport, target.server_name, host, target.path)
