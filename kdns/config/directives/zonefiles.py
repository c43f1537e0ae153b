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
    accepted={"upstream": "names outside are resolved by the server block itself"},
    gone={"transfer": "write the directive transfer", "no_reload": "write reload 0s"},
)
TRANSFER: Final = Directive(
    Transfer,
    "transfer [ZONE...]",
    doc="Lets others copy zones (AXFR, IXFR).",
    repeat="each",
    laws=(Law(lambda transfer: bool(transfer.to), "found no to, expected one at least"),),
)
