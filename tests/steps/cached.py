"""A cache before a script or a misbehaving upstream, in virtual time, and what its clients are told."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final

import dns.message
import dns.rcode

from kdns.config.directives.cache import Cache as Settings
from kdns.dns import foreign, types
from kdns.dns.names import from_text
from kdns.dns.query import Query
from kdns.dns.records import ExtendedError
from kdns.steps.cache import made
from kdns.steps.chain import Done, Failed, Outcome, Peer, Relayed, Request, Rest, compose
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.forwarding import to
from tests.steps.upstream_of_sins import UpstreamOfSins
from tests.steps.upstream_texts import reply, soa
from tests.virtual_time import VirtualTimeLoop

SETTINGS: Final = Settings(ttl_s=30)  # those of `cache 30`
WWW: Final = Query(from_text("www.example.com."), types.A)
CLIENT: Final = Peer("127.0.0.1", 5353)
A: Final = "www.example.com. 60 IN A 192.0.2.1"
OTHER: Final = "www.example.com. 60 IN A 192.0.2.2"
UNREACHED: Final = Failed(types.SERVFAIL, ExtendedError(types.EDE_NO_REACHABLE_AUTHORITY, "timed out"), "forward")

FAULT: Final = Failed(types.SERVFAIL, cause=ZeroDivisionError())


def relayed(answers: str = A, authority: str = "", **more: Any) -> Callable[[Request], Outcome]:
    """What upstreams say to any question."""
    return lambda request: Relayed(reply(request.query, answers, authority, **more), "forward")


NXDOMAIN: Final = relayed("", soa(60, 50), rcode="NXDOMAIN")
NODATA: Final = relayed("", soa(60, 50))
SERVFAIL: Final = relayed("", rcode="SERVFAIL")
EMPTY: Final = relayed("")


class Scripted:
    """The steps behind: say what they are told to, at once or, while they wait, when they are told to."""

    def __init__(self, say: Callable[[Request], Outcome]) -> None:
        self.say = say
        self.waits = False
        self.asked: list[Request] = []
        self.waiting: list[tuple[Request, Done]] = []

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        self.asked.append(request)
        if not self.waits:
            return self.say(request)
        self.waiting.append((request, done))
        return None

    def tell(self) -> None:
        """Answers whatever waits."""
        waiting, self.waiting = self.waiting, []
        for request, done in waiting:
            done(self.say(request))


class Logged:
    """A log that keeps what is an error."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **keys: Any) -> None:
        pass

    def warning(self, event: str, **keys: Any) -> None:
        pass

    def error(self, event: str, **keys: Any) -> None:
        self.errors.append((event, keys))


def running_or_stopped() -> VirtualTimeLoop:
    """The loop that runs, or one of which only the clock is used."""
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        stopped = VirtualTimeLoop()
        stopped.close()
        return stopped
    assert isinstance(running, VirtualTimeLoop)
    return running


class Scene:
    """A cache before scripted steps, and the time."""

    def __init__(self, say: Callable[[Request], Outcome] = relayed(), settings: Settings = SETTINGS) -> None:  # noqa: B008
        self.loop = running_or_stopped()
        self.behind = Scripted(say)
        self.log = Logged()
        self.cache = made(settings, self.loop, self.log)
        self.chain = compose((self.cache, self.behind))

    def wait(self, seconds: float) -> None:
        self.loop.jump(seconds)

    def ask(self, query: Query = WWW, transport: str = "udp") -> Outcome:
        outcome = self.chain(Request(query, CLIENT, transport), never)
        assert outcome is not None
        return outcome

    @property
    def asked(self) -> int:
        """How often upstreams were asked."""
        return len(self.behind.asked)


def never(outcome: Outcome) -> None:
    raise AssertionError(outcome)


def said(outcome: Outcome, query: Query = WWW) -> list[str]:
    """What a client is told: rcode, TTLs, data."""
    if isinstance(outcome, Failed):
        return [f"failed {types.rcode_text(outcome.rcode)}"]
    assert isinstance(outcome, Relayed)
    message = dns.message.from_wire(foreign.fit(query, outcome.octets, limit=65535, error=outcome.error))
    records = [f"{rrset.ttl} {rdata}" for rrset in message.answer for rdata in rrset]
    return records or [dns.rcode.to_text(message.rcode())]


def ttl(outcome: Outcome) -> int:
    """The TTL that a client is told, in every record."""
    assert isinstance(outcome, Relayed)
    message = dns.message.from_wire(outcome.octets)
    (seconds,) = {rrset.ttl for section in message.sections[1:] for rrset in section}
    return int(seconds)


Play = Callable[[Rest, Forward, UpstreamOfSins], Coroutine[Any, Any, None]]


def play(
    scene: Play, udp: str = "honest", tcp: str = "honest", settings: Settings = SETTINGS, **forwarding: Any
) -> None:
    """The scene, in virtual time, with a cache before Forward and one upstream."""

    async def stage() -> None:
        async with UpstreamOfSins(udp, tcp) as upstream:
            loop = asyncio.get_running_loop()
            forward = Forward(to(upstream.address, **forwarding), loop=loop, random=random.SystemRandom(), log=Logged())
            try:
                await scene(compose((made(settings, loop, Logged()), forward)), forward, upstream)
            finally:
                forward.close()

    virtual_time.run(stage())


class Asked:
    """One question, what came of it and when."""

    def __init__(self, chain: Rest, name: str = "www.example.com.", transport: str = "udp") -> None:
        self.outcomes: list[Outcome] = []
        self.at = -1.0
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        outcome = chain(Request(Query(from_text(name), types.A), CLIENT, transport), self._done)
        if outcome is not None:
            self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.at = round(self._loop.time() - self._begun, 1)

    async def said(self) -> list[str]:
        """What was said, after a time in which anything more would have come."""
        await asyncio.sleep(10)
        (outcome,) = self.outcomes
        return said(outcome)
