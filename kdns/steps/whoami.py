"""whoami: tells a client its own address, port and transport, whatever it asks for.

They stand in the additional section, as CoreDNS has it. Nothing of it is remembered, since each client has its own.
"""

from ipaddress import IPv6Address, ip_address
from typing import Final

from kdns.config.directives.bare import Whoami as Settings
from kdns.dns import types
from kdns.dns.names import NAME_LIMIT, ROOT, Name
from kdns.dns.records import Answer, RecordSet, srv
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Outcome, Request, Rest

NAME: Final = "whoami"

_LABELS: Final = {"udp": b"\x04_udp", "tcp": b"\x04_tcp"}


def make(settings: Settings, around: Around) -> "Whoami":  # noqa: ARG001 - every step is made so
    """The step."""
    return Whoami()


class Whoami:
    """Answers everything, and so is the last step that is asked."""

    __slots__ = ()

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:  # noqa: ARG002 - nothing comes after
        """As Step.ask."""
        qname, client = request.query.qname, request.client
        address = _packed(client.host)
        sets = [RecordSet(qname, types.A if len(address) == 4 else types.AAAA, 0, (address,))]
        service = Name(_LABELS[request.transport] + qname)
        if len(service) <= NAME_LIMIT:
            sets.append(RecordSet(service, types.SRV, 0, (srv(0, 0, client.port, ROOT),)))
        return Answered(Answer(additional=tuple(sets)), (), NAME)


def _packed(host: str) -> bytes:
    """The octets of an address as text; of one that stands for an IPv4 address, that one's."""
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).packed
