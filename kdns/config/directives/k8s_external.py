"""k8s_external: zones for the addresses that the cluster's Services have outside.

Defaults are CoreDNS 1.14's (plugin/k8s_external).
"""

from typing import Final

from kdns.config.declarations import Directive, Law, flag, option, zones
from kdns.config.domains import ZONE
from kdns.config.kinds import of_text, seconds
from kdns.config.shapes import spread
from kdns.config.zoned import Zoned
from kdns.dns import names
from kdns.dns.names import Name


def _is_label(text: str) -> str:
    if (
        not text
        or len(text) > names.LABEL_LIMIT
        or not text.isascii()
        or not text.strip("-_").replace("-", "").isalnum()
    ):
        raise ValueError(text)
    return text


class K8sExternal(Zoned):
    """The zones, and how they are answered."""

    zones: tuple[Name, ...] = zones(
        "ZONE", doc="The zones, reverse ones and ranges of addresses, too; the server block's by default."
    )
    ttl_s: int = option("ttl TTL", seconds(0, 3600), default=5, doc="The TTL of all records.")
    apex: str = option(
        "apex LABEL",
        of_text("a label", _is_label, "dns"),
        default="dns",
        doc="The label that the name server is below: ns1.LABEL.ZONE; no namespace of that name is seen.",
    )
    headless: bool = flag(
        "headless",
        doc="Services without addresses outside have names for their endpoints, headless ones a name of their own.",
    )
    fallthrough: tuple[Name, ...] = option(
        "fallthrough [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Names of these zones, or of all, that aren't there are asked of the directives behind.",
    )


DIRECTIVE: Final = Directive(
    K8sExternal,
    "k8s_external [ZONE...]",
    doc="Answers SERVICE.NAMESPACE.ZONE with the addresses that a Service has outside the cluster.",
    repeat="last",
    gone={"upstream": "leave it out: names outside are resolved by the server block itself"},
    differs=(
        (
            "A load balancer's host name is a CNAME that stands alone: of several the first counts, and none where there are"
            " addresses; who asks for the CNAME gets it. SRV records lead to all, without additional addresses of host names."
        ),
        "X.S.N.Z doesn't exist unless X is an endpoint; CoreDNS gives the Service's addresses for any X.",
        "Names that only have names below them are there without data (RFC 8020), as _tcp.S.N.Z.",
        "All records have the TTL of this directive; CoreDNS gives CNAME and SRV that of kubernetes.",
        "PTR records lead to names in the first zone that isn't a reverse one, as the name server of all reverse zones does.",
        "ns1 has the server's own addresses where no Service in front of it has any outside; CoreDNS gives none then.",
        "A copied zone has no SRV records at endpoints' names; weights are those that the names are answered with.",
        "The serial is that of the cluster: it grows with every change.",
        "A Service that ignore empty_service leaves out isn't there outside either.",
    ),
    laws=(
        Law(
            lambda outer: not outer.zones or bool(outer.origins),
            "found reverse zones alone, expected a zone such as example.org",
        ),
    ),
)
