"""Loops: finds out whether questions that are forwarded come back here, and stops them while they do.

A probe is a question for a random name, sent once at the start through the steps behind, as clients' are. Its name
has a mark that only this server block can make. Whoever of its workers gets it as a question answers with the proof
of that, which comes back to the one who asked; so the worker that sent it knows, and no probe goes round.
Three in a row make a loop. Then questions fail with the reason, readiness is off (looping), and probes go on, more and
more seldom, until as many in a row were answered by somebody else. Nothing that is asked ends the process, and nobody
without the secret can make it believe in a loop: a name that was seen once proves nothing when it is asked again.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2s
from typing import Final

from kdns.config.directives.bare import Loop as Settings
from kdns.dns import names, types
from kdns.dns.names import NAME_LIMIT, Name
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.steps.around import Around, Log
from kdns.steps.carriers import Random
from kdns.steps.chain import Answered, Done, Failed, Outcome, Peer, Relayed, Request, Rest

NAME: Final = "loop"
RETURNS: Final = 3  # probes in a row that decide
TRIES_S: Final = 30.0  # for so long after the start a probe that failed is sent again (as in CoreDNS), each RETRY_S
RETRY_S: Final = 1.0
AGAIN_S: Final = 5.0  # after a loop was found it is probed again, each time after twice as long, up to
AGAIN_MAX_S: Final = 60.0
SECRET_OCTETS: Final = 16

_LABEL: Final = 16  # octets of the nonce's label and of the mark's
_SELF: Final = Peer("127.0.0.1", 0)
_TO_DO: Final = (
    "let forward name servers that don't ask this one: if it names /etc/resolv.conf, that has a local address such as "
    "127.0.0.53, or this server's own"
)


def make(settings: Settings, around: Around) -> "Loop":  # noqa: ARG001 - it has none
    """The step of a server block; it begins when it is told to start, or else with the first question."""
    return Loop(around.zones[0] if around.zones else names.ROOT, around.loop, around.random, around.log)


class Loop:
    """The step that fails questions while they would go round."""

    __slots__ = (
        *("_again_s", "_begun", "_closed", "_good", "_log", "_loop", "_nonce", "_plain", "_random", "_rest"),
        *("_returned", "_secret", "_seen", "_timer", "_told", "_upstreams", "_zone", "looping"),
    )

    def __init__(self, zone: Name, loop: asyncio.AbstractEventLoop, random: Random, log: Log) -> None:
        self.looping = False  # whether questions come back: who isn't ready then says so
        self._plain = False  # whether it is started and all is well, so that questions only pass
        self._zone = zone
        self._loop = loop
        self._random = random
        self._log = log
        self._secret = random.randbytes(SECRET_OCTETS)
        self._rest: Rest | None = None
        self._upstreams: tuple[str, ...] = ()
        self._begun = 0.0
        self._nonce = b""  # of the probe in flight
        self._seen = False  # whether that came back to this worker
        self._returned = 0  # probes in a row that came back
        self._good = 0  # probes in a row that didn't, while there is a loop
        self._again_s = AGAIN_S
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        text = f"what is forwarded for {names.to_text(zone)} comes back: a loop"
        self._told = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)

    def start(self, rest: Rest, *, secret: bytes | None = None, upstreams: Sequence[str] = ()) -> None:
        """Sends the first probe to rest, the steps behind; once only.

        All workers need one secret (SECRET_OCTETS, hard to guess, another for each server block): a probe may come
        back to any of them. upstreams are for the log.
        """
        if self._rest is not None:
            return
        self._rest = rest
        self._secret = secret or self._secret
        self._upstreams = tuple(upstreams)
        self._begun = self._loop.time()
        self._plain = True
        if 2 * (1 + _LABEL) + len(self._zone) > NAME_LIMIT:
            self._log.warning("loop_unknown", zone=names.to_text(self._zone), reason="the zone's name is too long")
        else:
            self._probe()

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        if self._plain and request.query.qtype != types.HINFO:
            return rest(request, done)
        returned = self._returned_probe(request.query)
        if returned is not None:
            return returned
        if self._rest is None:
            self.start(rest)
        return self._told if self.looping else rest(request, done)

    def close(self) -> None:
        """Sends no more probes."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _returned_probe(self, query: Query) -> Answered | None:
        """The proof for who asked, if the question is a probe of this server block's."""
        name = query.name
        if query.qtype != types.HINFO or len(name) != 2 * (1 + _LABEL) + len(self._zone):
            return None
        nonce = name[1 : 1 + _LABEL]
        if name != self._probe_name(nonce):
            return None
        if nonce == self._nonce:
            self._seen = True
        proof = self._keyed(b"proof", nonce)
        rdata = b"".join(bytes((len(text),)) + text for text in (NAME.encode(), proof))
        answer = Answer(answers=(RecordSet(query.qname, types.HINFO, 0, (rdata,)),), authoritative=False)
        return Answered(answer, by=NAME)

    def _probe_name(self, nonce: bytes) -> Name:
        size = bytes((_LABEL,))
        return Name(b"".join((size, nonce, size, self._keyed(b"probe", nonce), self._zone)))

    def _keyed(self, use: bytes, nonce: bytes) -> bytes:
        made = blake2s(use + nonce + self._zone, key=self._secret, digest_size=_LABEL // 2)
        return made.hexdigest().encode()

    def _probe(self) -> None:
        self._timer = None
        assert self._rest is not None
        self._nonce = self._random.randbytes(_LABEL // 2).hex().encode()
        self._seen = False
        request = Request(Query(self._probe_name(self._nonce), types.HINFO), _SELF, "udp")
        try:
            outcome = self._rest(request, self._learn)
        except Exception as fault:  # noqa: BLE001 - the root of a question that nobody asked
            self._log.error("loop_probe_failed_inside", exc_info=fault)
            outcome = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), NAME)
        if outcome is not None:
            self._learn(outcome)

    def _learn(self, outcome: Outcome) -> None:
        """Goes on with what came of a probe."""
        if self._closed:
            return
        nonce, self._nonce = self._nonce, b""
        if self._seen or (isinstance(outcome, Relayed) and self._keyed(b"proof", nonce) in outcome.octets):
            self._came_back()
        elif isinstance(outcome, Failed):
            self._unclear(outcome)
        else:
            self._went_out()

    def _came_back(self) -> None:
        self._returned += 1
        self._good = 0
        if self._returned < RETURNS:
            self._later(0.0)
            return
        if self.looping:
            self._again_s = min(2 * self._again_s, AGAIN_MAX_S)
        else:
            self.looping, self._plain = True, False
            self._again_s = AGAIN_S
            self._log.error(
                "forwarding_loop",
                zone=names.to_text(self._zone),
                upstreams=", ".join(self._upstreams),
                effect="what would be forwarded gets SERVFAIL, and this server isn't ready, while that is so",
                to_do=_TO_DO,
            )
        self._later(self._again_s)

    def _went_out(self) -> None:
        """Somebody else answered."""
        if not self.looping:
            self._returned = 0
            return
        self._good += 1
        if self._good < RETURNS:
            self._later(RETRY_S)
            return
        self.looping, self._plain = False, True
        self._returned = self._good = 0
        self._log.info("forwarding_loop_over", zone=names.to_text(self._zone))

    def _unclear(self, outcome: Failed) -> None:
        """Nobody answered: what was known stays so."""
        if self.looping:
            self._later(self._again_s)
        elif self._loop.time() + RETRY_S <= self._begun + TRIES_S:
            self._later(RETRY_S)
        else:
            reason = outcome.error.text if outcome.error is not None else types.rcode_text(outcome.rcode)
            self._log.warning("loop_unknown", zone=names.to_text(self._zone), reason=reason)

    def _later(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._probe)
