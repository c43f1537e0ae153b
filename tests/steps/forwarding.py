"""Settings of a forward, questions to one, and what a step logs, for tests."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import dns.message

from kdns.config.directives.forward import Forward
from kdns.config.endpoints import Upstream
from kdns.config.settings import Address
from kdns.dns import names, types
from kdns.dns.names import Name, from_text
from kdns.dns.query import Query
from kdns.steps.chain import Done, Failed, Outcome, Peer, Relayed, Request
from kdns.steps.forward import Forward as Step
from tests import virtual_time
from tests.steps.upstream_of_sins import UpstreamOfSins
from tests.steps.ways import datagrams

NAME = from_text("www.example.com.")


def to(*addresses: Address, **settings: Any) -> Forward:
    """Settings of a forward of all names to these, the first one first unless the settings say otherwise."""
    targets = tuple(Upstream("address", each.host, port=each.port) for each in addresses)
    return Forward(**{"origin": (names.ROOT,), "upstreams": targets, "policy": "sequential", **settings})


class Noted:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    def info(self, event: str, **keys: Any) -> None:
        self.events.append(("info", event, keys))

    def warning(self, event: str, **keys: Any) -> None:
        self.events.append(("warning", event, keys))

    def error(self, event: str, **keys: Any) -> None:
        self.events.append(("error", event, keys))


class Asked:
    """One question to a Forward: what came of it, when, and how often."""

    def __init__(self, forward: Step, name: Name = NAME, transport: str = "udp") -> None:
        self.outcomes: list[Outcome] = []
        self.at = -1.0
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        outcome = forward.ask(Request(Query(name, types.A), Peer("127.0.0.1", 5353), transport), _nobody, self._done)
        if outcome is not None:
            self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self.at = round(self._loop.time() - self._begun, 2)

    async def outcome(self) -> Outcome:
        """The one outcome there is after a time in which any other would have come, too."""
        await asyncio.sleep(20)
        assert len(self.outcomes) == 1
        return self.outcomes[0]


def _nobody(_request: Request, _done: Done) -> Outcome:
    raise AssertionError("a step after forward was asked")


def said(outcome: Outcome) -> str:
    """Whose answer, or which rcode."""
    if isinstance(outcome, Failed):
        return f"failed {types.rcode_text(outcome.rcode)}"
    assert isinstance(outcome, Relayed)
    reply = dns.message.from_wire(outcome.octets, ignore_trailing=True)
    if not reply.answer:
        return types.rcode_text(reply.rcode())
    (number,) = [text.removeprefix("192.0.2.") for text in map(str, reply.answer[0]) if text.startswith("192.0.2.")]
    return f"from {number}"


Scene = Callable[[Step, list[UpstreamOfSins]], Coroutine[Any, Any, Any]]


def play(upstreams: list[tuple[str, str]], scene: Scene, **settings: Any) -> Any:
    """What the scene returns, in virtual time; upstreams are their sins by UDP and TCP."""

    async def stage() -> Any:
        async with AsyncExitStack() as stack:
            sinners = [
                await stack.enter_async_context(UpstreamOfSins(udp, tcp, number=number))
                for number, (udp, tcp) in enumerate(upstreams, 1)
            ]
            addresses = tuple(sinner.address for sinner in sinners)
            loop = asyncio.get_running_loop()
            forward = Step(
                to(*addresses, **settings),
                loop=loop,
                random=random.SystemRandom(),
                log=Noted(),
                datagrams=datagrams(),
            )
            try:
                return await scene(forward, sinners)
            finally:
                forward.close()
                assert not forward.waiting

    return virtual_time.run(stage())
