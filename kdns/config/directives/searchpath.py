"""searchpath: names that clients complete by their search list, completed by the server, whoever the client is."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from kdns.config.declarations import Directive, Settings, flag, option, zones
from kdns.config.directives.kubernetes import NAMESPACE
from kdns.config.domains import NAME, ZONE
from kdns.config.kinds import FilePath, file, whole, words
from kdns.config.resolvconf import NDOTS, NDOTS_MAX
from kdns.config.shapes import many
from kdns.dns.names import Name

Family: TypeAlias = Literal["ipv4", "ipv6", "auto"]

_FAMILIES: Final[Sequence[Family]] = ("ipv4", "ipv6", "auto")

RESOLV_CONF: Final = FilePath("/etc/resolv.conf")


class Searchpath(Settings):
    """Which names are completed, and by what."""

    zones: tuple[Name, ...] = zones("ZONE", kind=ZONE, doc="The zones of the questions, by default the server block's.")
    resolv_conf: FilePath = option(
        "resolv_conf FILE",
        file("/etc/resolv.conf"),
        default=RESOLV_CONF,
        doc="A file whose search line has the domains that follow those of the cluster, as the nodes' do in a pod's list.",
    )
    short: tuple[str, ...] = option(
        "short NAMESPACE...",
        many(NAMESPACE),
        default=(),
        repeat="each",
        doc="Short names, as SERVICE and SERVICE.NAMESPACE, are completed as in a pod of these namespaces, the first first.",
    )
    list: tuple[Name, ...] = option(
        "list DOMAIN...",
        many(NAME),
        default=(),
        repeat="each",
        doc="All other names are completed by these domains, in this order, as by a client with such a search list.",
    )
    ndots: int = option(
        "ndots COUNT",
        whole(0, NDOTS_MAX),
        default=NDOTS,
        doc="With so many dots or more a name is asked for as it is before list is gone through, with fewer after it.",
    )
    family: Family | None = option(
        "family FAMILY",
        words(_FAMILIES),
        default=None,
        doc=(
            "The only family of addresses that clients can use; auto for that of the server's own, if they are of one. For"
            " names outside no address of another is told."
        ),
    )
    no_completion: bool = flag("nocompletion", doc="Long names are left to clients; only short, list and family count.")


DIRECTIVE: Final = Directive(
    Searchpath,
    "searchpath [ZONE...]",
    doc="Completes names in the clients' place by the namespace that stands in them, without knowing any pod.",
    repeat="last",
    differs=("CoreDNS has no such directive.",),
)
