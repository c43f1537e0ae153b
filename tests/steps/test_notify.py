"""NOTIFY: what is sent to real sockets, how often, and to whom it is said that it wasn't heard; in virtual time."""

import asyncio
import random
from functools import partial

import dns.flags
import dns.message
import dns.opcode
import dns.rcode

from kdns.config.settings import Address
from kdns.dns.names import from_text
from kdns.steps.notify import Notifier
from tests import virtual_time
from tests.steps.test_zonefiles import Log

ORG, COM = from_text("example.org."), from_text("example.com.")


class Secondary(asyncio.DatagramProtocol):
    """Answers from its second message on, or with an error, or never."""

    def __init__(self, says: str) -> None:
        self.says = says
        self.heard: list[tuple[float, dns.message.Message, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        message = dns.message.from_wire(data)
        self.heard.append((asyncio.get_running_loop().time(), message, address[0]))
        if self.says == "nothing" or (self.says == "second" and len(self.heard) == 1):
            return
        answer = dns.message.make_response(message)
        answer.set_rcode(dns.rcode.REFUSED if self.says == "refused" else dns.rcode.NOERROR)
        if self.says == "stray":
            self.transport.sendto(b"", address)  # type: ignore[attr-defined]  # a datagram transport
            self.transport.sendto(data, address)  # type: ignore[attr-defined]
        self.transport.sendto(answer.to_wire(), address)  # type: ignore[attr-defined]


def _itself(secondary: Secondary) -> Secondary:
    return secondary


def told(*says: str, times: int = 1, source: str = "", wait_s: float = 60) -> tuple[list[Secondary], Log]:
    """The secondaries and the log after so many changes at once."""

    async def main() -> tuple[list[Secondary], Log]:
        loop, log = asyncio.get_running_loop(), Log()
        secondaries = [Secondary(each) for each in says]
        ends = [
            await loop.create_datagram_endpoint(partial(_itself, each), local_addr=("127.0.0.1", 0))
            for each in secondaries
        ]
        to = tuple(Address(*end.get_extra_info("sockname")) for end, _ in ends)
        notifier = Notifier(loop, random.Random(1), log)
        for _ in range(times):
            notifier.tell(ORG, to, source)
            await asyncio.sleep(0.01)
        await asyncio.sleep(wait_s)
        notifier.close()
        for end, _ in ends:
            end.close()
        return secondaries, log

    return virtual_time.run(main())


def test_the_message() -> None:
    ((secondary,), log) = told("yes")
    ((_, message, _),) = secondary.heard
    assert message.opcode() == dns.opcode.NOTIFY
    assert message.flags & dns.flags.AA
    assert [each.to_text() for each in message.question] == ["example.org. IN SOA"]
    assert log.events == []


def test_it_comes_from_the_address_that_was_given() -> None:
    ((secondary,), _) = told("yes", source="127.0.0.3")
    assert secondary.heard[0][2] == "127.0.0.3"


def test_who_does_not_answer_is_told_three_times() -> None:
    ((secondary,), log) = told("nothing")
    assert [round(when) for when, _, _ in secondary.heard] == [0, 2, 4]
    assert log.names == ["zone_change_not_heard"]
    assert log.events[0][1]["error"] == "no answer in 2 s"


def test_who_answers_is_told_no_more_and_nobody_waits_for_another() -> None:
    ((second, refused, stray), log) = told("second", "refused", "stray")
    assert [len(each.heard) for each in (second, refused, stray)] == [2, 3, 1]
    assert [keys["error"] for _, keys in log.events] == ["it answered REFUSED"]


def test_many_changes_within_seconds_are_two_rounds() -> None:
    ((secondary,), _) = told("yes", times=100)
    assert [round(when) for when, _, _ in secondary.heard] == [0, 5]


def test_closed_it_tells_nobody() -> None:
    ((secondary,), _) = told("nothing", wait_s=1)
    assert len(secondary.heard) == 1
