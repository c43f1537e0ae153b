"""file, transfer: zones from files, and zones that others may copy."""

from typing import Final

from kdns.config.declarations import Directive, Law, Settings, argument, flag, option, zones
from kdns.config.domains import ZONE
from kdns.config.endpoints import IP, TRANSFER_TARGET
from kdns.config.kinds import FilePath, duration, file
from kdns.config.settings import Address
from kdns.config.shapes import many, spread
from kdns.dns import names
from kdns.dns.names import Name


class File(Settings):
    """A zone's file."""

    file: FilePath = argument("FILE", file("db.example.org"), doc="The zone file.")
    zones: tuple[Name, ...] = zones("ZONE", doc="The zones that the file is for, by default the server block's.")
    reload_s: float = option(
        "reload DURATION", duration(), default=60.0, doc="How often the file is looked at; 0s for once."
    )
    reload_by_mtime: bool = flag("reload_by_mtime", doc="It is read again when its time changes, not its serial.")
    fallthrough: tuple[Name, ...] = option(
        "fallthrough [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Names of these zones, or of all, that aren't there are asked of the directives behind.",
    )


class Transfer(Settings):
    """Who may have a zone whole."""

    zones: tuple[Name, ...] = zones("ZONE", doc="The zones, by default the server block's.")
    to: tuple[Address | None, ...] = option(
        "to HOST...",
        many(TRANSFER_TARGET),
        default=(),
        repeat="each",
        doc="Who may ask for the zone, and is told of changes; * allows all and tells nobody.",
    )
    source: str = option(
        "source IP", IP, default="", repeat="once", doc="The address that others are told of changes from."
    )


FILE: Final = Directive(
    File,
    "file FILE [ZONE...]",
    doc="Answers from a zone file.",
    repeat="each",
    differs=(
        "A zone whose file is wrong or missing at the start is answered with SERVFAIL until it can be read; all else is served.",
        "A file in which a name has a CNAME and other records is wrong.",
        "A name's records of type ANY are its first set (RFC 8482), where CoreDNS says that there are none.",
        "Aliases that lead in a circle are SERVFAIL with the aliases, where CoreDNS gives what it has found as if it were all.",
        "A denial's SOA has the lesser of its TTL and MINIMUM (RFC 2308), and follows CNAMEs whose target is denied.",
        "Signatures of a signed zone are given to who asks for RRSIG, not along with answers.",
    ),
    accepted={"upstream": "names outside are resolved by the server block itself"},
    gone={"transfer": "write the directive transfer", "no_reload": "write reload 0s"},
)
TRANSFER: Final = Directive(
    Transfer,
    "transfer [ZONE...]",
    doc="Lets others copy zones (AXFR, IXFR).",
    repeat="each",
    differs=(
        "IXFR over UDP is answered by the SOA, which says whether to come by TCP (RFC 1995), not refused.",
        "A zone that isn't here is NOTAUTH (RFC 5936), and IXFR without a SOA FORMERR.",
        "Ten zones are sent at a time in a server block; another is refused.",
        "Each worker tells of a change when it has taken it over, so others are told once for each worker.",
    ),
    laws=(Law(lambda transfer: bool(transfer.to), "found no to, expected one at least"),),
)
