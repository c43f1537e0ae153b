"""Search lists as clients have them: the names that a client asks for one after the other, where the server knows its list.

In a pod the list begins with its namespace's domain, N.svc.Z, and those above it, svc.Z and Z; the domains of its node
follow, which are those of this server's own resolv.conf where that has its node's, too.
Standards: resolv.conf(5).
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kdns.config import resolvconf
from kdns.dns import names
from kdns.dns.names import NAME_LIMIT, Name, NameTextError, fold, from_text, is_below
from kdns.steps.around import Log
from kdns.zone.terms import SVC

DOMAINS_MAX: Final = 32  # as many as Kubernetes lets a pod have
_FILE_LIMIT: Final = 65536  # octets


def domains_of(path: str | os.PathLike[str], log: Log, without: Iterable[Name] = ()) -> tuple[Name, ...]:
    """The domains of the search line of a file like resolv.conf, folded, but for those that lie in zones without.

    None, and a line in the log, where it can't be read; what is no domain name is left out.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a name that the settings give, as it stands
            text = file.read(_FILE_LIMIT).decode(errors="replace")
    except OSError as error:
        log.warning("search_list_unreadable", path=str(path), error=error.strerror or str(error))
        return ()
    found: dict[Name, None] = {}
    for word in resolvconf.parse(text).search[:DOMAINS_MAX]:
        try:
            name = fold(from_text(word))
        except NameTextError as error:
            log.warning("search_domain_left_out", path=str(path), domain=word, error=str(error))
            continue
        if not any(is_below(name, zone) for zone in without):
            found[name] = None
    return tuple(found)


def in_pod(namespace: bytes, origin: Name, others: Sequence[Name]) -> Iterator[Name]:
    """The list of a pod; the namespace is a label with its length octet, the origin Z."""
    yield Name(namespace + SVC + origin)
    yield Name(SVC + origin)
    yield origin
    yield from others


def completed(base: bytes, domains: Iterable[Name]) -> Iterator[Name]:
    """The labels of base in each domain, as far as names may be so long, and then as they are."""
    for domain in (*domains, names.ROOT):
        if len(base) + len(domain) <= NAME_LIMIT:
            yield Name(base + domain)
