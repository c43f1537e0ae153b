"""The banner: what is served, and a line to try, for the person who started it; of manifests each Service, too.

A pure function from values to lines. Nothing of it is for programs: logs say the same in
keys. Names come from checked labels and are plain ASCII, targets are escaped.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from kdns.cluster.objects import Service
from kdns.config.settings import Address
from kdns.dns import names
from kdns.dns.names import Name
from kdns.ops.terminals import ANSWERS
from kdns.zone.entry import Port, slice_addresses, unpack_slice

_SERVICES_MAX: Final = 40
_ENDPOINTS_MAX: Final = 3
_MARK: Final = "*"
_BOLD, _FAINT, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


class Served(NamedTuple):
    """A Service and its packed slices, as the store has them."""

    service: Service
    slices: Sequence[bytes] = ()


def serving_lines(
    served: Iterable[Served], *, origin: Name, listen: Address, made_up: Collection[bytes] | None, colour: bool = False
) -> list[str]:
    """The lines of the banner; made_up are the addresses (4 or 16 octets) to be marked as such, of a cluster None."""
    ordered = sorted(served, key=lambda each: (each.service.key.namespace, each.service.key.name))
    zone = names.to_text(origin).removesuffix(".")
    where = Address(_host(listen), listen.port)
    services = "1 Service" if len(ordered) == 1 else f"{len(ordered):,} Services"
    lines = [_styled(f"{ANSWERS}{services} of {zone} on {where}", _BOLD, colour), ""]
    tries = ["Try", *(f"  {_styled(line, _BOLD, colour)}" for line in _tries(ordered, zone, where))]
    if made_up is None:
        return [*lines, *tries]
    shown = [(_name(each, zone), _ports(each.service.ports), _addresses(each, made_up)) for each in ordered]
    lines += _table(shown[:_SERVICES_MAX])
    if len(shown) > _SERVICES_MAX:
        lines.append(f"  ... and {len(shown) - _SERVICES_MAX} more")
    if any(_MARK in addresses for _, _, addresses in shown):
        lines += ["", _styled(f"  {_MARK} made up, the same at each start: the YAML gives no address", _FAINT, colour)]
    return [*lines, "", *tries]


def _name(each: Served, zone: str) -> str:
    return f"{each.service.key.name}.{each.service.key.namespace}.svc.{zone}"


def _addresses(each: Served, made_up: Collection[bytes]) -> str:
    service = each.service
    if service.external_name:
        return f"-> {names.to_text(Name(service.target)).removesuffix('.') if service.target else 'nowhere'}"
    if not service.headless:
        return " ".join(_address(octets, made_up) for octets in service.cluster_ips) or "no address"
    endpoints = [f"{_address(octets, made_up)}{name}" for octets, name in _endpoints(each.slices)]
    more = [f"and {len(endpoints) - _ENDPOINTS_MAX} more"] if len(endpoints) > _ENDPOINTS_MAX else []
    return "headless: " + (", ".join((*endpoints[:_ENDPOINTS_MAX], *more)) or "no ready endpoint")


def _endpoints(slices: Iterable[bytes]) -> Iterator[tuple[bytes, str]]:
    """Each endpoint's address, and its name in brackets if it has one."""
    for packed in slices:
        known = unpack_slice(packed).names
        for at, octets in enumerate(slice_addresses(packed)):
            yield octets, f" ({known[at].decode()})" if known and known[at] else ""


def _address(octets: bytes, made_up: Collection[bytes]) -> str:
    return f"{ip_address(octets)}{_MARK if octets in made_up else ''}"


def _ports(ports: Iterable[Port]) -> str:
    return ", ".join(f"{port.name.decode()} {port.number}/{port.protocol.decode()}".strip() for port in ports)


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """The rows with their columns below each other; the last is as long as it is."""
    first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return [f"  {row[0]:<{first}}  {row[1]:<{second}}  {row[2]}".rstrip() for row in rows]


def _tries(ordered: Sequence[Served], zone: str, where: Address) -> list[str]:
    """A question for an address and, where a port has a name, one for it."""
    dig = f"dig @{where.host}" + ("" if where.port == 53 else f" -p {where.port}")
    by_address = next((each for each in ordered if each.service.cluster_ips), ordered[0] if ordered else None)
    if by_address is None:
        return [f"{dig} {zone} SOA"]
    lines = [f"{dig} {_name(by_address, zone)}"]
    for each in ordered:
        for port in each.service.ports:
            if port.name and (each.service.cluster_ips or each.slices):
                return [*lines, f"{dig} _{port.name.decode()}._{port.protocol.decode()}.{_name(each, zone)} SRV"]
    return lines


def _host(listen: Address) -> str:
    """An address to ask: loopback where all are listened on."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - asked, not bound


def _styled(text: str, style: str, colour: bool) -> str:
    return f"{style}{text}{_PLAIN}" if colour else text
