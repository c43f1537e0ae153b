"""History: whether what a server says can be of the same past as what is known (K24, K26).

Versions of a resource are opaque but, where they are numbers, grow: an older one than has been seen means that a backup
was restored, or that another server answers. A cluster is known by the uid of its namespace kube-system, which is
made once and can't be deleted. Versions of different resources are never compared.
"""

from typing import Final

from kdns.cluster.decode import Head
from kdns.cluster.objects import Key, Resource, Stamp

KUBE_SYSTEM: Final = Key("", "kube-system")


def is_before(one: str, other: str) -> bool:
    """Whether one version of a resource is certain to be older than the other."""
    return one.isdecimal() and other.isdecimal() and int(one) < int(other)


def is_of_another_cluster(resource: Resource, head: Head, known: Stamp | None) -> bool:
    """Whether the object tells that what is known came from another cluster than this."""
    if resource != "namespaces" or head.key != KUBE_SYSTEM or known is None:
        return False
    return bool(head.stamp.uid and known.uid) and head.stamp.uid != known.uid
