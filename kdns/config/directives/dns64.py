"""dns64: IPv6 addresses for names that have none (RFC 6147)."""

from ipaddress import IPv6Network
from typing import Final

from kdns.config.declarations import Directive, Settings, argument, flag, option
from kdns.config.endpoints import DNS64_PREFIX

WELL_KNOWN: Final = IPv6Network("64:ff9b::/96")  # RFC 6052 section 2.1


class Dns64(Settings):
    """How IPv6 addresses are made of IPv4 ones."""

    short_prefix: IPv6Network | None = argument(
        "PREFIX", DNS64_PREFIX, default=None, doc="The prefix, where it is all that is said."
    )
    prefix: IPv6Network = option(
        "prefix PREFIX", DNS64_PREFIX, default=WELL_KNOWN, doc="What the addresses begin with; 64:ff9b::/96 by default."
    )
    translate_all: bool = flag(
        "translate_all", doc="Names that have IPv6 addresses get made-up ones in their place, too."
    )
    allow_ipv4: bool = flag("allow_ipv4", doc="Clients that ask over IPv4 get them, too.")

    @property
    def used_prefix(self) -> IPv6Network:
        """The prefix, wherever it was said."""
        return self.short_prefix or self.prefix

    def complete(self) -> "Dns64":
        """The same with the prefix that is used."""
        return self.replaced(prefix=self.used_prefix)


DIRECTIVE: Final = Directive(
    Dns64,
    "dns64 [PREFIX]",
    doc="Makes IPv6 addresses for names that have IPv4 ones alone (RFC 6147).",
    repeat="last",
    differs=(
        "PREFIX may stand before a block; CoreDNS passes over the block then.",
        "A name without IPv4 addresses keeps its own answer: its rcode, and with translate_all its addresses.",
        "Clients that validate for themselves (DO and CD) get nothing made up (RFC 6147 section 5.5).",
        "coredns_dns64_requests_translated_total counts replies with addresses that were made; CoreDNS' tries, too.",
    ),
)
