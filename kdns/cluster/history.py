"""History: whether what a server says can be of the same past as what is known (K24, K26).

Versions of a resource are opaque but, where they are numbers, grow: an older one than has been seen means that a backup
was restored, or that a server answers that lags behind the one before. Only time tells which, so an older state is taken
once nothing but such has been seen for 10 s. A cluster is known by the uid of its namespace kube-system, which is
made once and can't be deleted. Versions of different resources are never compared.
"""

from typing import Final

from kdns.cluster.decode import Head
from kdns.cluster.objects import Key, Resource, Stamp

SURE_S: Final = 10.0
KUBE_SYSTEM: Final = Key("", "kube-system")


def is_before(one: str, other: str) -> bool:
    """Whether one version of a resource is certain to be older than the other."""
    return one.isdecimal() and other.isdecimal() and int(one) < int(other)


def is_of_another_cluster(resource: Resource, head: Head, known: Stamp | None) -> bool:
    """Whether the object tells that what is known came from another cluster than this."""
    if resource != "namespaces" or head.key != KUBE_SYSTEM or known is None:
        return False
    return bool(head.stamp.uid and known.uid) and head.stamp.uid != known.uid


class History:
    """Whether the server's history ends before what was seen of it."""

    __slots__ = ("_back_since",)

    def __init__(self) -> None:
        self._back_since: float | None = None

    def went_back(self, now: float) -> None:
        """The newest state was one older than has been seen."""
        self._back_since = now if self._back_since is None else self._back_since

    def went_on(self) -> None:
        """The newest state was as new as any that has been seen."""
        self._back_since = None

    def is_sure(self, now: float) -> bool:
        """Whether nothing but older states has come for so long that no server's lag can be the reason."""
        return self._back_since is not None and now - self._back_since >= SURE_S
