"""Zones as a Corefile writes them: a domain name, or a range of addresses for the reverse zones that hold it.

A range that doesn't end where a label of the reverse tree does is several zones: 10.0.0.0/23 two, fd00::/7 two.
Sources: RFC 1035 section 3.5, RFC 2317 (that such ranges have no zone of their own), RFC 3596 section 2.5; CoreDNS 1.14,
plugin/normalize.go and plugin/pkg/cidr.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from kdns.dns import names
from kdns.dns.names import Name, NameTextError

_BITS_OF_A_LABEL: Final = {4: 8, 6: 4}


def expand(text: str) -> tuple[Name, ...]:
    """The zones that text writes, at least one, folded. Raises NameTextError: what was found, what was expected."""
    network = _network(text)
    if network is not None:
        return tuple(reverse(network))
    if not text:
        raise NameTextError("it is empty")
    # Nobody ever asks for such a name: a port, a scheme or a quote is in the wrong place.
    if ":" in text:
        raise NameTextError("a colon stands in it")
    if any(map(str.isspace, text)):
        raise NameTextError("white space stands in it")
    try:
        return (names.fold(names.from_text(text)),)
    except UnicodeEncodeError as error:
        raise NameTextError("octets that aren't UTF-8 stand in it") from error


def reverse(network: IPv4Network | IPv6Network) -> list[Name]:
    """The smallest set of reverse zones that together are the network, in its order."""
    bits = _BITS_OF_A_LABEL[network.version]
    labels = -(-network.prefixlen // bits)
    every = network.max_prefixlen // bits
    zones = []
    for part in network.subnets(new_prefix=labels * bits):
        pointer = part.network_address.reverse_pointer.split(".")
        zones.append(names.from_text(".".join(pointer[every - labels :])))
    return zones


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """The range of addresses that text writes, bits behind the mask dropped; None if it is something else.

    Raises NameTextError for an address with a mask that its family doesn't have.
    """
    address, slash, mask = text.partition("/")
    if not (slash and mask.isascii() and mask.isdigit()) or "%" in address:
        return None
    try:
        family = ip_address(address)
    except ValueError:
        return None
    if len(mask) > 3 or int(mask) > family.max_prefixlen:
        raise NameTextError(f"the mask is /{mask}, expected /0 to /{family.max_prefixlen}")
    return ip_network(text, strict=False)
