"""acl: whose questions are answered, refused (REFUSED), answered with nothing (NOERROR), or met with silence.

Of a block's directives the first whose zones hold the name and of whose policies one fits decides; without any a question
is allowed. What is remembered of allowed questions holds for clients alike: those that the same policies name. kind says
which these are, so whoever remembers replies sorts clients by it. Refusals aren't remembered: each is counted here.
Standards: RFC 8914 sections 4.16 and 4.18. Metrics as CoreDNS has them: plugin/acl.
"""

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, NamedTuple

from kdns.config.directives.acl import Acl, Action, Policy
from kdns.config.domains import EVERY_TYPE
from kdns.config.endpoints import Network
from kdns.dns import names, types
from kdns.dns.names import Name, is_below
from kdns.dns.records import Answer, ExtendedError
from kdns.steps.apart import bordered
from kdns.steps.around import Around, Samples
from kdns.steps.chain import DROPPED, Answered, Done, Outcome, Request, Rest

NAME: Final = "acl"
FAMILIES: Final = {
    "block": "coredns_acl_blocked_requests_total",
    "filter": "coredns_acl_filtered_requests_total",
    "drop": "coredns_acl_dropped_requests_total",
}
_BLOCKED: Final = 15
_FILTERED: Final = 17
_CLIENTS_MAX: Final = 4096  # whose networks are remembered

_OUTCOMES: Final[dict[Action, Outcome]] = {
    "block": Answered(Answer(types.REFUSED, authoritative=False, error=ExtendedError(_BLOCKED)), by=NAME),
    "filter": Answered(Answer(types.NOERROR, authoritative=False, error=ExtendedError(_FILTERED)), by=NAME),
    "drop": DROPPED,
}


class _Policy(NamedTuple):
    action: Action
    types: frozenset[int] | None  # None for all
    ranges: dict[int, tuple[tuple[int, int], ...]]  # by the version of IP: network and mask


class AccessControl:
    """All acl directives of a server block."""

    __slots__ = ("_clients", "_rules", "_zones", "counted")

    def __init__(self, settings: Sequence[Acl]) -> None:
        self._rules = tuple((each.zones, tuple(map(_policy, each.policies))) for each in settings)
        self._zones = tuple(zone for zones, _ in self._rules for zone in zones)
        self._clients: dict[str, tuple[bool, ...]] = {}
        self.counted: Counter[tuple[str, str]] = Counter()  # by family and zone

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if not query.name.endswith(self._zones):
            return bordered(rest(request, done), self._zones)
        action, zone = self.verdict(request.client.host, query.qtype, query.name)
        if action == "allow":
            return bordered(rest(request, done), self._zones)
        self.counted[FAMILIES[action], names.to_text(zone)] += 1
        return _OUTCOMES[action]

    def verdict(self, host: str, qtype: int, name: Name) -> tuple[Action, Name]:
        """What is done with a question, and the zone that says so; the name is folded."""
        named = iter(self.kind(host))
        for zones, policies in self._rules:
            zone = max((each for each in zones if is_below(name, each)), key=len, default=None)
            fitting = [
                policy.action
                for policy in policies
                if next(named) and (policy.types is None or qtype in policy.types) and zone is not None
            ]
            if fitting and zone is not None:
                return fitting[0], zone
        return "allow", names.ROOT

    def counts_at(self, server: str, _zones: str, view: str) -> Samples:
        """The families of what isn't allowed, of a server and view; zone is the one that a policy was found for."""
        return {(family, (server, zone, view)): count for (family, zone), count in self.counted.items()}

    def kind(self, host: str) -> tuple[bool, ...]:
        """Which policies name the client's address: equal for clients whose equal questions are treated alike."""
        found = self._clients.get(host)
        if found is None:
            if len(self._clients) >= _CLIENTS_MAX:
                self._clients.clear()
            address = ip_address(host.partition("%")[0])
            address = getattr(address, "ipv4_mapped", None) or address
            version, number = address.version, int(address)
            found = self._clients[host] = tuple(
                any(number & mask == network for network, mask in policy.ranges[version])
                for _, policies in self._rules
                for policy in policies
            )
        return found


def make(settings: Sequence[Acl], around: Around) -> AccessControl:
    """The one step of all acl directives of a server block."""
    del around
    return AccessControl(settings)


def _policy(policy: Policy) -> _Policy:
    qtypes = None if EVERY_TYPE in policy.types else frozenset(policy.types)
    return _Policy(policy.action, qtypes, {version: _ranges(policy.networks, version) for version in (4, 6)})


def _ranges(networks: Sequence[Network], version: int) -> tuple[tuple[int, int], ...]:
    return tuple((int(each.network_address), int(each.netmask)) for each in networks if each.version == version)
