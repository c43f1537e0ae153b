"""Made-up addresses: what YAML doesn't say and a cluster would have given out.

An address is a function of the object's namespace and name, so it is the same on every
machine and after every edit; only of objects whose hashes meet does the later in the
alphabet move on, and nobody gets an address that the YAML gives to somebody. The ranges
are those kubeadm and its usual network plugins have.
"""

import hashlib
from collections.abc import Collection, Iterable
from ipaddress import IPv4Network, IPv6Network
from typing import Final, NamedTuple

from kdns.cluster.objects import Key


class Ranges(NamedTuple):
    """A network of each family, both of the same size."""

    v4: IPv4Network
    v6: IPv6Network


class Pair(NamedTuple):
    """An address of each family, with the same place in its network."""

    v4: str
    v6: str


SERVICES: Final = Ranges(IPv4Network("10.96.0.0/12"), IPv6Network("fd00:96::/108"))
PODS: Final = Ranges(IPv4Network("10.244.0.0/16"), IPv6Network("fd00:244::/112"))


def make_up(keys: Iterable[Key], ranges: Ranges, given: Collection[bytes]) -> dict[Key, Pair]:
    """A pair for each key, no two the same, none with an address (of 4 or 16 octets) that is given already.

    Deterministic for a set of keys. Keys past the size of the ranges get none.
    """
    made: dict[Key, Pair] = {}
    free = ranges.v4.num_addresses - 2  # without the first and the last, which are the network's own
    used: set[int] = set()
    for key in sorted(set(keys)):
        start = int.from_bytes(hashlib.sha256(f"{key.namespace}/{key.name}".encode()).digest()[:8])
        for step in range(free if len(used) < free else 0):
            at = 1 + (start + step) % free
            if at in used:
                continue
            used.add(at)
            v4, v6 = ranges.v4[at], ranges.v6[at]
            if not (v4.packed in given or v6.packed in given):
                made[key] = Pair(str(v4), str(v6))
                break
    return made
