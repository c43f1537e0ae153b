"""forwarding: names of Services, and of their endpoints, lead to loopback addresses on which somebody listens for them.

For kdns dev --forward, where the cluster's addresses are of no use. An address follows from the name alone, so that it
stays the same however often anything is started. Before it is answered the first time, and after a change of the
Service, who listens is told by a datagram, and says when it does; where that fails the cluster's answer is given.
IPv4 alone: of IPv6 a machine has only one loopback address. What is no Service's is left as it is.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Final, NamedTuple

from kdns.config.forwarding import Forwarding as Settings
from kdns.dns import types
from kdns.dns.names import Name, fold, is_below, label_text
from kdns.dns.records import Answer, RecordSet
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Outcome, Request, Rest
from kdns.zone.entry import service_owner
from kdns.zone.terms import ADDRESS_SIZES, SVC, labels_before

NAME: Final = "forwarding"

_WAIT_S: Final = 15.0  # for who listens: it asks the API server
MESSAGE_BYTES: Final = 4096  # of what is said either way
_TTL_S: Final = 5


class Place(NamedTuple):
    """What an address stands for."""

    namespace: str
    service: str
    endpoint: str  # its label; empty for any of the Service's

    def __str__(self) -> str:
        return ".".join(filter(None, (self.endpoint, self.service, self.namespace)))

    @property
    def address(self) -> bytes:
        """One of 127.64.0.1 to 127.127.255.254, which nothing else uses."""
        digest = blake2b("/".join(self).encode(), digest_size=3).digest()
        return bytes((127, 64 | digest[0] & 63, digest[1], 1 + digest[2] % 254))


def make(settings: Settings, around: Around) -> "Forwarding":
    """The step."""
    return Forwarding(settings, around)


class Forwarding:
    """Answers with loopback addresses, and passes on what has none."""

    def __init__(self, settings: Settings, around: Around) -> None:
        assert around.cluster is not None, "there is a cluster to forward to"
        self._index, self._loop, self._log = around.index, around.loop, around.log
        self._zones = tuple(Name(SVC + origin) for origin in around.cluster.origins)
        self._socket = socket.socket(fileno=settings.descriptor)
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._hear)
        self._known: dict[Place, object] = {}  # the entry of its Service when somebody began to listen
        self._waiting: dict[str, list[Callable[[str], None]]] = {}  # by the datagram
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def waiting(self) -> bool:
        """Whether a question waits."""
        return bool(self._waiting)

    def close(self) -> None:
        """Hears no more."""
        self._loop.remove_reader(self._socket)
        self._socket.detach()  # other workers have it, too

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qclass != types.IN or not any(is_below(query.name, zone) for zone in self._zones):
            return rest(request, done)

        def later(outcome: Outcome) -> None:
            made = self._led(request, outcome, done)
            if made is not None:
                done(made)

        outcome = rest(request, later)
        return None if outcome is None else self._led(request, outcome, done)

    def _led(self, request: Request, outcome: Outcome, done: Done) -> Outcome | None:
        """The outcome with loopback addresses; None where done will be called with it."""
        if not isinstance(outcome, Answered) or outcome.answer.rcode != types.NOERROR:
            return outcome
        answer, query = outcome.answer, request.query
        if query.qtype not in ADDRESS_SIZES:
            return outcome._replace(answer=answer._replace(additional=self._without(answer.additional)))
        last = answer.answers[-1] if answer.answers else None
        name = fold(query.qname) if last is None else fold(last.name)
        place = self._place(name) if last is None or last.rtype in ADDRESS_SIZES else None
        if place is None:
            return outcome
        made = outcome._replace(by=NAME, answer=_with(answer, query.qname, query.qtype, place.address))
        entry = self._entry(place)
        if place in self._known and self._known[place] == entry:
            return made
        self._tell(place, partial(self._told, place, entry, made, outcome, done))
        return None

    def _told(self, place: Place, entry: object, made: Outcome, otherwise: Outcome, done: Done, error: str) -> None:
        if error:
            self._log.warning("not_forwarded", service=f"{place.namespace}/{place.service}", reason=error)
            done(otherwise)
            return
        self._known[place] = entry
        done(made)

    def _entry(self, place: Place) -> object:
        return self._index.entries.get(service_owner(place.namespace, place.service))

    def _without(self, sets: tuple[RecordSet, ...]) -> tuple[RecordSet, ...]:
        """Addresses of Services are asked for anew, as those beside SRV records may be left out (RFC 2782)."""
        return tuple(each for each in sets if each.rtype not in ADDRESS_SIZES or self._place(fold(each.name)) is None)

    def _place(self, name: Name) -> Place | None:
        zone = next((each for each in self._zones if is_below(name, each)), None)
        labels = None if zone is None else labels_before(name, len(name) - len(zone))
        if labels is None or len(labels) not in (2, 3) or labels[0][1:2] in (b"_", b"*"):
            return None
        *endpoint, service, namespace = (label_text(each[1:]) for each in labels)
        return Place(namespace, service, endpoint[0] if endpoint else "")

    # Who listens

    def _tell(self, place: Place, told: Callable[[str], None]) -> None:
        """Calls told, later, with what is wrong, or nothing."""
        message = json.dumps([*place, socket.inet_ntoa(place.address)])
        waiting = self._waiting.setdefault(message, [])
        waiting.append(told)
        if len(waiting) > 1:
            return
        late = f"nobody listened within {_WAIT_S:g} s"
        self._timers[message] = self._loop.call_later(_WAIT_S, self._settle, message, late)
        try:
            self._socket.send(message.encode())
        except OSError as error:
            self._loop.call_soon(self._settle, message, f"nobody can listen: {error.strerror or error}")

    def _hear(self) -> None:
        with suppress(BlockingIOError, ConnectionError, ValueError):
            *message, error = json.loads(self._socket.recv(MESSAGE_BYTES))
            self._settle(json.dumps(message), str(error))

    def _settle(self, message: str, error: str) -> None:
        timer = self._timers.pop(message, None)
        if timer is not None:
            timer.cancel()
        for told in self._waiting.pop(message, ()):
            told(error)


def _with(answer: Answer, qname: Name, qtype: int, address: bytes) -> Answer:
    """The answer with this one address, or without any where it is of the other family."""
    before = tuple(each for each in answer.answers if each.rtype not in ADDRESS_SIZES)
    addresses = [each for each in answer.answers if each.rtype in ADDRESS_SIZES]
    name, ttl = (addresses[0].name, addresses[0].ttl) if addresses else (qname, _TTL_S)
    found = (RecordSet(name, types.A, ttl, (address,)),) if qtype == types.A else ()
    return answer._replace(answers=(*before, *found), additional=(), authority=())
