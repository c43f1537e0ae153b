"""SRV: which ports a name asks for, and the records of those that fit.

Knows nothing of where targets and their addresses come from: services and headless hand
them in. Priority is 0; the weights share 100 among all that was found before equal records
fall together, so they tell how many addresses there are. Underscores may be left out in
names. Standards: RFC 2782, the Kubernetes DNS specification sections 2.3.2 and 2.4.2.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from kdns.dns import records, types
from kdns.dns.names import Name
from kdns.dns.records import Answer, RecordSet
from kdns.zone.entry import Port
from kdns.zone.terms import NODATA, Asked

# An SRV record has at least 40 octets, so of a longer answer nothing additional fits into the 65,535 of a message.
_GLUED_TARGETS: Final = 1000


class Offer(NamedTuple):
    """Ports, and the target of each address that has all of them."""

    ports: tuple[Port, ...]
    targets: Sequence[Name]


def matching(ports: Iterable[Port], asked: Asked) -> tuple[Port, ...]:
    """The ports that the first two labels, _port._proto, ask for."""
    name, protocol = bare(asked.labels[0]), bare(asked.labels[1])
    if not name:
        return ()
    return tuple(port for port in ports if port.name == name and port.protocol == protocol)


def have_named(ports: Iterable[Port], protocol: bytes) -> bool:
    """Whether a port with a name has the protocol, so that _proto stands above the port's name."""
    return any(port.name and port.protocol == protocol for port in ports)


def srv(asked: Asked, offers: Sequence[Offer], glue: Callable[[Iterable[Name]], tuple[RecordSet, ...]]) -> Answer:
    """The SRV records of all offers; glue gives the addresses of their targets. An offer without ports only weighs."""
    count = sum(len(offer.targets) * (len(offer.ports) or 1) for offer in offers)
    found = dict.fromkeys((target, port.number) for offer in offers for target in offer.targets for port in offer.ports)
    if not found:
        return NODATA
    weight = 100 // count or 1
    rdatas = tuple(records.srv(0, weight, number, target) for target, number in found)
    targets = dict.fromkeys(target for target, _ in found)
    return Answer(
        answers=(RecordSet(asked.qname, types.SRV, asked.ttl, rdatas),),
        additional=glue(targets) if len(targets) <= _GLUED_TARGETS else (),
    )


def bare(label: bytes) -> bytes:
    """The label without its length octet and one leading underscore."""
    return label[1:].removeprefix(b"_")
