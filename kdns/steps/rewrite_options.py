"""Rules of rewrite about EDNS options: which of them go along with a question to upstreams.

No option of a client's goes to an upstream, but one that a rule names goes as the rule leaves it; a client's own counts as
being there. Replies never have them, as if each rule said revert. Standards: RFC 6891 section 6.1.2, RFC 5001 (NSID), RFC
7871 sections 6 and 7.1 (CLIENT-SUBNET).
"""

import struct
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final, NamedTuple, TypeAlias

from kdns.config.rewriting import EdnsAction, LocalRule, NsidRule, SubnetRule
from kdns.dns import names
from kdns.dns.wire import option
from kdns.steps.chain import Request
from kdns.steps.lineformat import Labels

NSID: Final = 3
SUBNET: Final = 8

_OPTION: Final = struct.Struct("!HH")
_SUBNET: Final = struct.Struct("!HBB").pack
_U16: Final = struct.Struct("!H").pack

Value: TypeAlias = Callable[[Request], bytes | None]  # None where there is nothing to say


class OptionRule(NamedTuple):
    """An option, what is done about it, and its data."""

    code: int
    action: EdnsAction
    value: Value
    personal: bool  # whether the data depends on who asks

    def apply(self, request: Request) -> Request | None:
        """The request with the option as the rule leaves it; None where the rule has nothing to do."""
        query = request.query
        there = option(query.upstream_options, self.code)
        if there is None:
            there = option(query.options, self.code)
        if self.action == "replace" and there is None:
            return None
        left = _without(query.upstream_options, self.code)
        if self.action != "unset":
            data = there if self.action == "append" and there is not None else self.value(request)
            if data is None:
                return None
            left += _OPTION.pack(self.code, len(data)) + data
        return request._replace(query=query.replace(upstream_options=left))


def compiled(rule: LocalRule | NsidRule | SubnetRule, labels: Labels | None) -> OptionRule:
    """The rule at work."""
    if isinstance(rule, NsidRule):
        return OptionRule(NSID, rule.action, lambda _request: b"", personal=False)
    if isinstance(rule, SubnetRule):
        return OptionRule(SUBNET, rule.action, _subnet(rule.ipv4_bits, rule.ipv6_bits), personal=True)
    data = rule.data
    if isinstance(data, str):
        value = VARIABLES.get(data) or _label(data[1:-1], labels)
        return OptionRule(rule.code, rule.action, value, personal=data in _OF_THE_CLIENT)
    return OptionRule(rule.code, rule.action, lambda _request: data or b"", personal=False)


def _address(request: Request) -> bytes:
    return ip_address(request.client.host.partition("%")[0]).packed


def _subnet(ipv4_bits: int, ipv6_bits: int) -> Value:
    def value(request: Request) -> bytes:
        address = _address(request)
        family, bits = (1, ipv4_bits) if len(address) == 4 else (2, ipv6_bits)
        spare = len(address) * 8 - bits
        network = (int.from_bytes(address) >> spare << spare).to_bytes(len(address))
        return _SUBNET(family, bits, 0) + network[: (bits + 7) // 8]

    return value


# What the words in braces stand for; numbers and addresses as octets.
VARIABLES: Final[dict[str, Value]] = {
    "{qname}": lambda request: names.to_text(request.query.qname).encode(),
    "{qtype}": lambda request: _U16(request.query.qtype),
    "{client_ip}": _address,
    "{client_port}": lambda request: _U16(request.client.port),
    "{protocol}": lambda request: request.transport.encode(),
}
_OF_THE_CLIENT: Final = frozenset(("{client_ip}", "{client_port}", "{protocol}"))


def _label(label: str, labels: Labels | None) -> Value:
    """What a label of metadata says; what is empty is nothing, as for CoreDNS."""

    def value(request: Request) -> bytes | None:
        said = None if labels is None else labels.value(label, request.query.name)
        return said.encode() if said else None

    return value


def _without(options: bytes, code: int) -> bytes:
    return b"".join(octets for found, octets in _each(options) if found != code)


def _each(options: bytes) -> Iterator[tuple[int, bytes]]:
    """Options that fill their octets exactly: the code and the octets of each."""
    position = 0
    while position < len(options):
        code, length = _OPTION.unpack_from(options, position)
        end = position + 4 + length
        yield code, options[position:end]
        position = end
