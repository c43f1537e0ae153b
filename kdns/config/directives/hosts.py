"""hosts: names from a file like /etc/hosts, and from lines of the block itself."""

from typing import Final, NamedTuple

from kdns.config.declarations import Directive, Law, Settings, argument, flag, option, options, zones
from kdns.config.domains import NAME, ZONE
from kdns.config.endpoints import IP
from kdns.config.kinds import FilePath, duration, file, seconds
from kdns.config.shapes import many, record, spread
from kdns.dns import names
from kdns.dns.names import Name

FILE: Final = FilePath("/etc/hosts")
_TTL_MAX_S: Final = 65535


class Host(NamedTuple):
    """An address and its names."""

    address: str
    names: tuple[Name, ...]


class Hosts(Settings):
    """Where names are, and how they are answered."""

    file: FilePath = argument("FILE", file("/etc/hosts"), default=FILE, doc="The file; /etc/hosts by default.")
    zones: tuple[Name, ...] = zones("ZONE", doc="The zones of names that are answered, by default the server block's.")
    inline: tuple[Host, ...] = options(
        "ADDRESS NAME...",
        record(Host, address=("ADDRESS", IP), names=("NAME", many(NAME))),
        doc="A line as in the file.",
    )
    ttl_s: int = option("ttl SECONDS", seconds(1, _TTL_MAX_S), default=3600, doc="The TTL of all records.")
    no_reverse: bool = flag("no_reverse", doc="Addresses have no names.")
    reload_s: float = option(
        "reload DURATION", duration(), default=5.0, doc="How often the file is looked at; 0s for once."
    )
    fallthrough: tuple[Name, ...] = option(
        "fallthrough [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Names of these zones, or of all, that aren't there are asked of the directives behind.",
    )
    fallthrough_unsupported: bool = flag(
        "fallthrough_unsupported",
        doc="So are questions for other types than A, AAAA and PTR, of names that are there, too.",
    )


DIRECTIVE: Final = Directive(
    Hosts,
    "hosts [FILE [ZONE...]]",
    doc="Answers with addresses from a file like /etc/hosts and from its own lines.",
    repeat="once",
    differs=(
        "Lines with names may stand behind fallthrough.",
        "A line of its own whose address is none is an error.",
        "A record's name is spelt as in the question.",
        "An address that a name has twice is given once.",
        "A file in which nothing makes sense, or that has zero octets, changes nothing: what was read before holds.",
    ),
    laws=(
        Law(
            lambda hosts: bool(hosts.fallthrough) or not hosts.fallthrough_unsupported,
            "found fallthrough_unsupported without fallthrough, expected both",
            "fallthrough_unsupported",
        ),
    ),
)
