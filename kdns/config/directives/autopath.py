"""autopath: the client's search path is gone through by the server."""

from typing import Final, NamedTuple

from kdns.config.declarations import Directive, Settings, argument, zones
from kdns.config.domains import zone_unless
from kdns.config.kinds import FilePath, of_text
from kdns.dns.names import Name


class SearchPath(NamedTuple):
    """Where the search path is from: the cluster, by the client's pod, or a file like resolv.conf."""

    file: FilePath | None  # None for the cluster's


def _search_path(text: str) -> SearchPath:
    if text == "@kubernetes":
        return SearchPath(None)
    if not text or text.startswith("@"):
        raise ValueError(text)
    return SearchPath(FilePath(text))


class Autopath(Settings):
    """Whose search path it is."""

    zones: tuple[Name, ...] = zones(
        "ZONE",
        kind=zone_unless(lambda text: text.startswith("@")),
        doc="The zones of the questions, by default the server block's.",
    )
    search: SearchPath = argument(
        "SEARCH",
        of_text(
            "@kubernetes, or a file like resolv.conf", _search_path, "@kubernetes", opens=lambda search: search.file
        ),
        doc="Where the search path is from.",
    )


DIRECTIVE: Final = Directive(
    Autopath,
    "autopath [ZONE...] SEARCH",
    doc="Goes through the client's search path itself, so that it asks once.",
    repeat="last",
    differs=(
        (
            "@kubernetes reads pods whatever pods says; a client's namespace is the one in the name, if any pod there has the"
            " client's address, of whichever family."
        ),
        "A name without data carries the CNAME, too, and its TTL is the zone's at most (30 s with a file).",
        "A single label is completed, and the domain itself never is.",
        "A question for a CNAME gets that from the name asked for alone.",
        "Names keep the case of the question throughout, in replies that deny the name, too.",
    ),
)
