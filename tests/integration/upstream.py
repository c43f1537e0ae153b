"""A small real upstream: UDP and TCP on one port of 127.0.0.1, each query answered by a thread of its own.

Knows what it is told, and denies all else. Takes note of what it is asked, by transport. While
it is told to hold, it answers nothing; what it was asked meanwhile it answers then.
"""

import contextlib
import socketserver
import threading
from collections.abc import Mapping
from typing import Any, Final, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Records = Mapping[tuple[str, str], tuple[str, ...]]  # (name, type) -> data; a CNAME answers every type

TTL: Final = 60
SOA: Final = "ns.example. hostmaster.example. 1 2 3 4 60"
UDP_LIMIT: Final = 1232


class Upstream:
    """Answers from its records; rcodes names those that get nothing but an rcode."""

    def __init__(self, records: Records, rcodes: Mapping[str, str] | None = None) -> None:
        self.records = dict(records)
        self.rcodes = dict(rcodes or {})
        self.asked: list[tuple[str, str, str]] = []  # transport, name, type
        self.go_on = threading.Event()  # cleared to hold
        self.go_on.set()
        upstream = self

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                octets, sock = self.request
                if reply := upstream.reply(octets, "udp"):
                    sock.sendto(reply, self.client_address)

        class Stream(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    while head := self.rfile.read(2):
                        reply = upstream.reply(self.rfile.read(int.from_bytes(head, "big")), "tcp")
                        if not reply:
                            return
                        self.wfile.write(len(reply).to_bytes(2, "big") + reply)

        self._tcp = _TcpServer(("127.0.0.1", 0), Stream)
        port = self._tcp.socket.getsockname()[1]
        self._udp = _UdpServer(("127.0.0.1", port), Datagram)
        self.address = f"127.0.0.1:{port}"
        self._threads = [threading.Thread(target=each.serve_forever, args=(0.02,)) for each in (self._tcp, self._udp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, if it hasn't been ended."""
        self.go_on.set()
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def reply(self, octets: bytes, transport: str) -> bytes:
        """What it says to a query; empty for nothing."""
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name, rtype = question.name.to_text().lower(), question.rdtype.name
        self.asked.append((transport, name, rtype))
        self.go_on.wait(timeout=30)
        reply = dns.message.make_response(query, recursion_available=True)
        self._fill(reply, name, rtype)
        octets = reply.to_wire(max_size=65535)
        if transport == "udp" and len(octets) > UDP_LIMIT:
            return self._cut(query)
        return octets

    def _fill(self, reply: dns.message.Message, name: str, rtype: str) -> None:
        if name in self.rcodes:
            reply.set_rcode(dns.rcode.from_text(self.rcodes[name]))
            return
        types = {known: data for (owner, known), data in self.records.items() if owner == name}
        found = rtype if rtype in types else "CNAME" if "CNAME" in types else ""
        if not found:
            reply.set_rcode(dns.rcode.NOERROR if types else dns.rcode.NXDOMAIN)
            reply.authority.append(dns.rrset.from_text(".", TTL, "IN", "SOA", SOA))
            return
        reply.answer.append(dns.rrset.from_text(reply.question[0].name, TTL, "IN", found, *types[found]))
        if found == "CNAME" and rtype != "CNAME":
            target = types[found][0]
            reply.answer.append(dns.rrset.from_text(target, TTL, "IN", rtype, *self.records[target, rtype]))

    def _cut(self, query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query, recursion_available=True)
        reply.flags |= dns.flags.TC
        return reply.to_wire()


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no trouble."""


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no trouble."""
