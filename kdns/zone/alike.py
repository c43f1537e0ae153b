"""Denials alike: which names get the very denial that another got, octet for octet but for the question.

Search paths and floods ask for names that hardly ever repeat: www.example.com.N.svc.Z, www.example.com.Z,
<random>.N.svc.Z, and AAAA of Services that have IPv4 alone. Whether one is denied as another was is told by the labels
before the end that they have in common, and by the index of this moment; so nothing here is ever wrong for being old, as
RFC 8198 does with NSEC.
"""

from typing import Final, NamedTuple, TypeAlias

from kdns.dns.names import Name
from kdns.zone.entry import Kind, Owner, cluster_ips, namespace_owner_of
from kdns.zone.index import Index


class Unowned(NamedTuple):
    """S.N.svc.Z where nobody owns (N, S), and whatever lies below: NXDOMAIN."""

    end: Name  # what the names have in common: svc.Z
    zone: Index

    def holds(self, last: bytes, *, below: bool) -> bool:  # noqa: ARG002 - another's concern
        """Whether a name is denied alike; last is its last two labels before the end, folded, or its only one.

        below says that there are more in front of them.
        """
        return len(last) > last[0] + 1 and last not in self.zone.entries


class Uncompleted(NamedTuple):
    """Those of Unowned's that no step completes: names outside of all namespaces there are, and short ones, if they aren't either."""

    end: Name  # svc.Z
    zone: Index
    every: bool  # whether S.N.svc.Z is completed as what lies below it is

    def holds(self, last: bytes, *, below: bool) -> bool:
        """As Unowned.holds."""
        split = last[0] + 1
        if len(last) <= split or last in self.zone.entries:
            return False
        return not (below or self.every) or namespace_owner_of(last[split:]) not in self.zone.entries


class Familyless(NamedTuple):
    """S.N.svc.Z of a Service without a ClusterIP of the family asked for: no data."""

    end: Name  # svc.Z
    zone: Index
    size: int  # octets of an address of that family

    def holds(self, last: bytes, *, below: bool) -> bool:
        """As Unowned.holds."""
        entry = None if below else self.zone.entries.get(Owner(last))
        return entry is not None and entry[0] == Kind.CLUSTER_IP and not cluster_ips(entry, self.size)


class Elsewhere(NamedTuple):
    """Names below Z whose label next to it means nothing there: NXDOMAIN."""

    end: Name  # Z
    branches: frozenset[bytes]  # the labels that mean something, or shorten the names in a SOA

    def holds(self, last: bytes, *, below: bool) -> bool:  # noqa: ARG002 - another's concern
        """As Unowned.holds."""
        return (last[last[0] + 1 :] or last) not in self.branches


Alike: TypeAlias = Unowned | Uncompleted | Familyless | Elsewhere

__all__: Final = ["Alike", "Elsewhere", "Familyless", "Uncompleted", "Unowned"]
