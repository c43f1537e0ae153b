"""An upstream that misbehaves in every way of a table, over UDP and TCP, on one port of 127.0.0.1.

Lives in the test's own loop, virtual or not. Its honest answers are made by dnspython, and say which
upstream made them by the last octet of their one address: 192.0.2.NUMBER.
"""

import asyncio
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from kdns.config.settings import Address


class Say(NamedTuple):
    """Octets to send, after a while; from another port than the one that was asked; by TCP, None closes."""

    octets: bytes | None
    after_s: float = 0.0
    stranger: bool = False


Sin = Callable[[bytes, int], list[Say]]


def answer(query: bytes, number: int, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, records: int = 1) -> bytes:
    """The answer of upstream number, in any order where there is more than its own record."""
    question = dns.message.from_wire(query)
    reply = dns.message.make_response(question, recursion_available=True)
    reply.set_rcode(rcode)
    if rcode == dns.rcode.NOERROR and records:
        addresses = [f"192.0.2.{number}", *(f"198.51.{n >> 8}.{n & 255}" for n in range(records - 1))]
        reply.answer.append(dns.rrset.from_text(question.question[0].name, 30, "IN", "A", *addresses))
    return reply.to_wire(max_size=65535)


def _edited(edit: Callable[[bytearray], object]) -> Sin:
    """The right answer with something done to its octets, and no other."""

    def sin(query: bytes, number: int) -> list[Say]:
        octets = bytearray(answer(query, number))
        edit(octets)
        return [Say(bytes(octets))]

    return sin


def _coded(rcode: dns.rcode.Rcode) -> Sin:
    return lambda query, number: [Say(answer(query, number, rcode))]


def _counts(octets: bytearray, questions: int) -> None:
    octets[4:6] = questions.to_bytes(2, "big")


def _flip(position: int, mask: int) -> Sin:
    def edit(octets: bytearray) -> None:
        octets[position] ^= mask

    return _edited(edit)


def _end_of_question(octets: bytes | bytearray) -> int:
    return octets.index(0, 12) + 5  # the tests' names hold no zero octet


def _other_type(octets: bytearray) -> None:
    octets[_end_of_question(octets) - 3] ^= 1


def _other_class(octets: bytearray) -> None:
    octets[_end_of_question(octets) - 1] ^= 2


def _bare_header(octets: bytearray) -> None:
    _counts(octets, 0)
    del octets[12:]


def _forged(query: bytes, number: int, guesses: int = 200) -> list[Say]:
    """So many guesses at the id, each with a lie, before the truth."""
    lie = answer(query, 66)
    ident = int.from_bytes(query[:2], "big")
    guessed = ((ident + 1 + guess) % 65536 for guess in range(guesses))
    return [Say(guess.to_bytes(2, "big") + lie[2:]) for guess in guessed] + [Say(answer(query, number))]


def _no_edns(query: bytes, number: int) -> list[Say]:
    """Doesn't know EDNS: FORMERR without an OPT record, unless asked plainly."""
    if query[10:12] == b"\0\0":
        return [Say(answer(query, number))]
    end = _end_of_question(query)
    return [Say(query[:2] + b"\x81\x81" + b"\0\1" + bytes(6) + query[12:end])]


def _truncated(query: bytes, number: int) -> list[Say]:
    octets = bytearray(answer(query, number))
    octets[2] |= 2
    return [Say(bytes(octets))]


def _lowered(octets: bytes) -> bytes:
    end = _end_of_question(octets)
    return octets[:12] + octets[12:end].lower() + octets[end:]


# What each does to a datagram that it gets. Rows named in robustness' words, U07 to U17 above all.
UDP: Final[dict[str, Sin]] = {
    "honest": lambda query, number: [Say(answer(query, number))],
    "silent": lambda _query, _number: [],
    "servfail": _coded(dns.rcode.SERVFAIL),
    "refused": _coded(dns.rcode.REFUSED),
    "notimp": _coded(dns.rcode.NOTIMP),
    "nxdomain": _coded(dns.rcode.NXDOMAIN),
    "formerr": _coded(dns.rcode.FORMERR),
    "no edns": _no_edns,
    "wrong id": _flip(1, 1),
    "wrong name": _flip(13, 1),
    "other case": _flip(13, 32),
    "other type": _edited(_other_type),
    "other class": _edited(_other_class),
    "a query": _flip(2, 0x80),
    "opcode": _flip(2, 0x10),
    "no question": _edited(lambda octets: _counts(octets, 0)),
    "two questions": _edited(lambda octets: _counts(octets, 2)),
    "bare header": _edited(_bare_header),
    "cut in the header": _edited(lambda octets: octets.__delitem__(slice(7, None))),
    "cut in the question": _edited(lambda octets: octets.__delitem__(slice(18, None))),
    "empty": lambda _query, _number: [Say(b"")],
    "garbage": lambda query, _number: [Say(query[:2] + bytes(range(256)) * 2)],
    "stranger": lambda query, number: [Say(answer(query, number), stranger=True)],
    "stranger first": lambda query, number: [Say(answer(query, 66), stranger=True), Say(answer(query, number))],
    "twice": lambda query, number: [Say(answer(query, number)), Say(answer(query, 66))],
    "late": lambda query, number: [Say(answer(query, number), after_s=3.0)],
    "held": lambda query, number: [Say(answer(query, number), after_s=10.0)],
    "slow": lambda query, number: [Say(answer(query, number), after_s=1.0)],
    "wrong, then right": lambda query, number: UDP["wrong name"](query, 66) + UDP["slow"](query, number),
    "forged": _forged,
    "a few forged": lambda query, number: _forged(query, number, 9),
    "truncated": _truncated,
    "empty answer": lambda query, number: [Say(answer(query, number, records=0))],
    "lower case": lambda query, number: [Say(_lowered(answer(query, number)))],
    "lower case, no edns": lambda query, number: [Say(_lowered(say.octets or b"")) for say in _no_edns(query, number)],
    "large": lambda query, number: [Say(answer(query, number, records=200))],
    "oversize": lambda query, number: [Say(answer(query, number, records=300))],
}


def _framed(octets: bytes) -> bytes:
    return len(octets).to_bytes(2, "big") + octets


# What each does to a message that it gets by TCP.
TCP: Final[dict[str, Sin]] = {
    "honest": lambda query, number: [Say(_framed(answer(query, number, records=300)))],
    "silent": lambda _query, _number: [],
    "closed": lambda _query, _number: [Say(None)],
    "half": lambda query, number: [Say(_framed(answer(query, number))[:20]), Say(None)],
    "wrong length": lambda query, number: [Say(b"\xff\xff" + answer(query, number)), Say(None)],
    "in pieces": lambda query, number: [
        Say(bytes((octet,)), after_s=index / 100) for index, octet in enumerate(_framed(answer(query, number)))
    ],
    "another's first": lambda query, number: [
        Say(_framed(b"\0\0" + answer(query, 66)[2:]) + _framed(b"short") + _framed(answer(query, number)))
    ],
    "wrong name": lambda query, number: [Say(_framed(say.octets or b"")) for say in UDP["wrong name"](query, number)],
    "servfail": lambda query, number: [Say(_framed(answer(query, number, dns.rcode.SERVFAIL)))],
    "closes after": lambda query, number: [Say(_framed(answer(query, number))), Say(None, after_s=1.0)],
    "backwards": lambda _query, _number: [],  # see _hold
    "lower case": lambda query, number: [Say(_framed(_lowered(answer(query, number))))],
    "closed once": lambda _query, _number: [Say(None)],  # honest from the second message on
}


class UpstreamOfSins:
    """Hears everything, and answers as its sins for UDP and TCP say; "gone" listens to nobody."""

    def __init__(self, udp: str = "honest", tcp: str = "honest", *, number: int = 1) -> None:
        self.udp = udp
        self.tcp = tcp
        self.number = number
        self.heard: list[bytes] = []  # by UDP
        self.ports: list[int] = []  # whom by
        self.streamed: list[bytes] = []  # by TCP
        self.probed: list[float] = []  # when, by either; probes aren't among those above
        self.sources: list[str] = []  # whence
        self.connections = 0
        self._connections: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._stranger = _bound(socket.SOCK_DGRAM, 0)
        self._udp, listening = _pair()
        self.address = Address("127.0.0.1", self._udp.getsockname()[1])
        self._server = None
        if self.udp == "gone":
            self._udp.close()
        else:
            loop.add_reader(self._udp, self._hear)
        if self.tcp == "gone":
            listening.close()
        else:
            self._server = await asyncio.start_server(self._serve, sock=listening)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stranger.close()
        if self._udp.fileno() >= 0:
            self._loop.remove_reader(self._udp)
            self._udp.close()
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.sleep(0.1)  # of virtual time: connections end

    def _hear(self) -> None:
        query, client = self._udp.recvfrom(65535)
        self.sources.append(client[0])
        if _is_probe(query):
            self.probed.append(self._loop.time())
        else:
            self.heard.append(query)
            self.ports.append(client[1])
        for say in UDP[self.udp](query, self.number):
            sender = self._stranger if say.stranger else self._udp
            if say.after_s:
                self._loop.call_later(say.after_s, self._say, sender, say.octets, client)
            else:
                self._say(sender, say.octets, client)

    def _say(self, sender: socket.socket, octets: bytes | None, client: tuple[str, int]) -> None:
        if sender.fileno() >= 0:
            sender.sendto(octets or b"", client)

    def _hold(self, octets: bytes, held: list[bytes], writer: asyncio.StreamWriter) -> None:
        """Answers all that came within a second, the last one first."""
        if not held:

            def turn() -> None:
                writer.write(b"".join(reversed(held)))
                held.clear()

            self._loop.call_later(1.0, turn)
        held.append(octets)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        self.connections += 1
        self.sources.append(writer.get_extra_info("peername")[0])
        held: list[bytes] = []
        try:
            while True:
                query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                if _is_probe(query):
                    self.probed.append(self._loop.time())
                else:
                    self.streamed.append(query)
                if self.tcp == "backwards":
                    self._hold(_framed(answer(query, self.number)), held, writer)
                    continue
                begun = self._loop.time()
                honest_now = self.tcp == "closed once" and len(self.streamed) > 1
                for say in TCP["honest" if honest_now else self.tcp](query, self.number):
                    await asyncio.sleep(begun + say.after_s - self._loop.time())
                    if say.octets is None:
                        return
                    writer.write(say.octets)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()


def _is_probe(query: bytes) -> bool:
    """Whether the question is for the root's name servers."""
    return query[12:] == b"\0\0\2\0\1"


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, kind)
    try:
        opened.setblocking(False)
        opened.bind(("127.0.0.1", port))
    except OSError:
        opened.close()
        raise
    return opened


def _pair() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one free port."""
    while True:
        datagrams = _bound(socket.SOCK_DGRAM, 0)
        try:
            return datagrams, _bound(socket.SOCK_STREAM, datagrams.getsockname()[1])
        except OSError:
            datagrams.close()
