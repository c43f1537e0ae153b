"""Many questions to two servers that say what a test has them say: once, again, by TCP, and those that follow."""

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kdns.diff.survey import Manner, Scope, Servers, ages, survey
from kdns.diff.verdict import Tally
from kdns.dns.names import from_text
from tests.diff.replies import question

Says = Callable[[dns.message.Message, bool], None]  # puts into a reply what is said, by TCP or not
AT_ONCE = Manner(rate=100_000, timeout_s=5.0, again_s=0)
ZONE = from_text("cluster.local")
SCOPE = Scope((ZONE,))


class Scripted:
    """A server by UDP and TCP on one port of 127.0.0.1; asked has every name."""

    def __init__(self, says: Says) -> None:
        self.asked: list[tuple[str, bool]] = []
        self._says = says
        scripted = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                octets, sock = self.request
                sock.sendto(scripted.reply(octets, tcp=False), self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while head := self.rfile.read(2):
                    told = scripted.reply(self.rfile.read(int.from_bytes(head)), tcp=True)
                    self.wfile.write(len(told).to_bytes(2) + told)

        self.servers = _at_one_port(Datagram, Stream)
        self.address = self.servers[0].server_address

    def reply(self, octets: bytes, *, tcp: bool) -> bytes:
        query = dns.message.from_wire(octets)
        self.asked.append((query.question[0].name.to_text(), tcp))
        said = dns.message.make_response(query)
        self._says(said, tcp)
        return said.to_wire()

    def __enter__(self) -> Self:
        for each in self.servers:
            threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.servers:
            each.shutdown()
            each.server_close()


def _at_one_port(datagram: Any, stream: Any) -> list[Any]:
    """Servers by UDP and TCP; another port is tried where only UDP has it free."""
    while True:
        by_udp = socketserver.UDPServer(("127.0.0.1", 0), datagram)
        try:
            return [by_udp, Streams(by_udp.server_address, stream)]
        except OSError:
            by_udp.server_close()


class Streams(socketserver.ThreadingTCPServer):
    allow_reuse_address = True


def says(text: str = "") -> Says:
    """The record, whatever is asked; an empty text for none."""

    def fill(said: dns.message.Message, tcp: bool) -> None:
        if text:
            owner, ttl, rtype, data = text.split(maxsplit=3)
            said.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", rtype, data))

    return fill


@contextlib.contextmanager
def two(theirs: Says, ours: Says) -> Iterator[tuple[Scripted, Scripted, Servers]]:
    with Scripted(theirs) as one, Scripted(ours) as other:
        yield one, other, Servers(one.address, other.address)


def nobody_looks(done: int, of: int) -> None:
    assert 0 < done <= of


def counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.asked, tally.equal, tally.differ_as_meant, len(tally.left)


def test_each_question_is_asked_once_of_both() -> None:
    asked = [question("web.cluster.local. A"), question("db.cluster.local. A"), question("web.cluster.local. A")]
    with two(says(), says()) as (one, other, servers):
        tally = survey(servers, asked, (), SCOPE, AT_ONCE, nobody_looks)
    assert counts(tally) == (2, 2, 0, 0)
    assert one.asked == other.asked == [("web.cluster.local.", False), ("db.cluster.local.", False)]


def test_what_has_changed_between_two_questions_is_asked_again() -> None:
    def later(said: dns.message.Message, tcp: bool) -> None:
        if len(other.asked) == 1:
            said.set_rcode(dns.rcode.NXDOMAIN)
        says()(said, tcp)

    with two(says(), later) as (_, other, servers):
        tally = survey(servers, [question("web.cluster.local. A")], (), SCOPE, AT_ONCE, nobody_looks)
    assert (counts(tally), len(other.asked)) == ((1, 1, 0, 0), 2)


def test_what_goes_on_to_differ_is_left_once() -> None:
    record = "web.cluster.local. 5 A 10.0.0."
    with two(says(f"{record}1"), says(f"{record}2")) as (one, _, servers):
        tally = survey(servers, [question("web.cluster.local. A")], (), SCOPE, AT_ONCE, nobody_looks)
    assert (counts(tally), len(one.asked)) == ((1, 0, 0, 1), 3)


def test_what_is_truncated_is_asked_for_by_tcp_too() -> None:
    def truncated(said: dns.message.Message, tcp: bool) -> None:
        if not tcp:
            said.flags |= dns.flags.TC

    with two(truncated, truncated) as (one, _, servers):
        tally = survey(servers, [question("web.cluster.local. A")], (), SCOPE, AT_ONCE, nobody_looks)
    assert counts(tally) == (2, 2, 0, 0)
    assert one.asked == [("web.cluster.local.", False), ("web.cluster.local.", True)]


def test_names_of_answers_follow() -> None:
    ptr = says("1.0.0.10.in-addr.arpa. 5 PTR web.cluster.local.")
    with two(ptr, ptr) as (one, _, servers):
        tally = survey(servers, [question("1.0.0.10.in-addr.arpa. PTR")], (), SCOPE, AT_ONCE, nobody_looks)
    assert (counts(tally)[0], {name for name, _ in one.asked[1:]}) == (3, {"web.cluster.local."})


@pytest.mark.parametrize(("limit", "expected"), [(1, ["n0"]), (4, ["n0", "n2", "n5", "n7"]), (20, None)])
def test_a_limit_takes_some_from_all_over(limit: int, expected: list[str] | None) -> None:
    asked = [question(f"n{number}.cluster.local. A") for number in range(10)]
    with two(says(), says()) as (one, _, servers):
        survey(servers, asked, (), SCOPE._replace(limit=limit), AT_ONCE, nobody_looks)
    assert [name.split(".")[0] for name, _ in one.asked] == (expected or [f"n{number}" for number in range(10)])


def test_only_the_types_wanted_are_asked_for() -> None:
    asked = [question("web.cluster.local. A"), question("web.cluster.local. AAAA")]
    with two(says(), says()) as (one, _, servers):
        tally = survey(servers, asked, (), SCOPE._replace(rtypes=frozenset((28,))), AT_ONCE, nobody_looks)
    assert (counts(tally)[0], len(one.asked)) == (1, 1)


@pytest.mark.parametrize(("owner", "meant"), [("www.example.com.", 1), ("web.cluster.local.", 0)])
def test_only_ttls_of_others_count_down(owner: str, meant: int) -> None:
    with two(says(f"{owner} 25 A 192.0.2.1"), says(f"{owner} 30 A 192.0.2.1")) as (_, _, servers):
        tally = survey(servers, [question(f"{owner} A")], (ages((ZONE,)),), SCOPE, AT_ONCE, nobody_looks)
    assert counts(tally) == (1, 0, meant, 1 - meant)


def test_who_stops_answering_ends_it_and_is_named() -> None:
    def once(said: dns.message.Message, tcp: bool) -> None:
        if len(other.asked) > 1:
            raise ConnectionAbortedError  # no reply
        says()(said, tcp)

    asked = [question(f"n{number}.cluster.local. A") for number in range(3)]
    quick = AT_ONCE._replace(at_once=1, timeout_s=0.05)
    with two(says(), once) as (_, other, servers):
        for each in other.servers:
            each.handle_error = lambda *_: None
        with pytest.raises(OSError, match=f"^127.0.0.1:{servers.ours[1]}: no reply within 0.1 s") as raised:
            survey(servers, asked, (), SCOPE, quick, nobody_looks)
    assert raised.value.errno is None
