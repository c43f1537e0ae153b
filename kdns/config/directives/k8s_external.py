"""k8s_external: a zone for the addresses that the cluster has outside."""

from typing import Final

from kdns.config.declarations import Directive, Settings, flag, option, zones
from kdns.config.domains import ZONE
from kdns.config.kinds import seconds, text
from kdns.config.shapes import spread
from kdns.dns import names
from kdns.dns.names import Name


class K8sExternal(Settings):
    """The zones, and how they are answered."""

    zones: tuple[Name, ...] = zones("ZONE", doc="The zones; the server block's by default.")
    ttl_s: int = option("ttl TTL", seconds(0, 3600), default=5, doc="The TTL of all records.")
    apex: str = option(
        "apex LABEL", text("a label", "dns"), default="dns", doc="The label that the zone's own name server has."
    )
    headless: bool = flag("headless", doc="Headless Services with addresses outside are served, too.")
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
)
