"""The sets of questions, and the files that dnsperf reads them from.

What is asked, how (transport, rate, each line once or over and over), and which kinds of server
have an answer is one row of SETS. Lines depend on the cluster's contents and the seed only.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from bench.api import NAMESPACE
from bench.cluster import LARGE, Contents, Service

ZONE: Final = "cluster.local"
LINES: Final = 100_000
# More than anything answers in a second: a file whose lines are asked once each must not run out.
_ONCE_PER_S: Final = 200_000
# Names outside of the cluster that its pods ask for, over and over.
_SITES: Final = 200

# Kinds of server: follows the cluster and forwards; has the zone from a file; sends back what came.
LIVE: Final = "live"
FILE: Final = "file"
ECHO: Final = "echo"
_CLUSTER: Final = frozenset((LIVE,))
_ZONE: Final = frozenset((LIVE, FILE))
_ALL: Final = frozenset((LIVE, FILE, ECHO))

Lines: TypeAlias = Callable[[Contents, random.Random], Iterator[str]]
Names: TypeAlias = Callable[[random.Random], Iterator[str]]


class QuestionSet(NamedTuple):
    """A row of the table of results."""

    name: str
    lines: Lines
    kinds: frozenset[str]
    rate: int | None = None  # queries per second; None: as fast as it goes
    latencies: bool = True  # whether each one's is known where there is a rate
    tcp: bool = False
    once: bool = False  # no line is ever asked twice of the same server
    churn: bool = False  # while endpoints change
    directives: str = ""  # of servers started for it, by a Corefile with these


def hot(contents: Contents, chance: random.Random) -> Iterator[str]:
    """A of every Service, in random order."""
    while True:
        yield f"{_name(chance.choice(contents.services))} A"


def mix(contents: Contents, chance: random.Random) -> Iterator[str]:
    """What pods ask: 55 % external names, 35 % Services by short name, 5 % of other namespaces, 5 % SRV.

    A client sends the questions of one look-up in a row, each completed by the search path in turn.
    """
    parts: tuple[tuple[Callable[[Contents, random.Random], list[str]], float], ...] = (
        (_external_walk, 0.55),
        (_short_name, 0.35),
        (_other_namespace, 0.05),
        (_srv, 0.05),
    )
    # Shares are of questions, so a look-up of many is drawn the less often.
    weights = [share / len(make(contents, chance)) for make, share in parts]
    while True:
        (make,) = chance.choices([make for make, _ in parts], weights)
        yield from make(contents, chance)


def nxflood(contents: Contents, chance: random.Random) -> Iterator[str]:
    """Services that don't exist, in namespaces that do."""
    namespaces = sorted({service.namespace for service in contents.services})
    while True:
        yield f"{_random_label(chance)}.{chance.choice(namespaces)}.svc.{ZONE} A"


def external_cached(_: Contents, chance: random.Random) -> Iterator[str]:
    """A of a few names outside of the cluster."""
    return (f"{name} A" for name in sites(chance))


def external_cold(_: Contents, chance: random.Random) -> Iterator[str]:
    """A of names outside of the cluster that nobody asked for before."""
    return (f"{name} A" for name in new_names(chance))


def sites(chance: random.Random) -> Iterator[str]:
    """A few names outside of the cluster."""
    while True:
        yield _site(chance)


def new_names(chance: random.Random) -> Iterator[str]:
    """Names outside of the cluster that nobody asked for before."""
    while True:
        yield f"{_random_label(chance)}.example.com"


def search_list(namespace: str) -> tuple[str, ...]:
    """Of a pod, without any domain of its node's."""
    return f"{namespace}.svc.{ZONE}", f"svc.{ZONE}", ZONE


def headless(size: int) -> Lines:
    """A of the headless Service of that many endpoints."""

    def lines(_: Contents, __: random.Random) -> Iterator[str]:
        while True:
            yield f"headless-{size}.{NAMESPACE}.svc.{ZONE} A"

    return lines


def write(questions: QuestionSet, contents: Contents, folder: Path, seconds: float, turn: int) -> Path:
    """The file with the questions of that turn; turns differ where no line may be asked twice."""
    path = folder / f"{'-'.join(re.findall('[0-9a-z]+', questions.name.lower()))}.txt"
    if questions.once or not path.exists():
        count = int((questions.rate or _ONCE_PER_S) * (seconds + 1)) if questions.once else LINES
        chance = random.Random(f"{questions.name} {turn}" if questions.once else questions.name)
        with path.open("w") as file:
            file.writelines(f"{line}\n" for line in islice(questions.lines(contents, chance), count))
    return path


def zone_file(contents: Contents) -> Iterator[str]:
    """The lines of a zone file with the same names, for servers that know no cluster."""
    yield f"$ORIGIN {ZONE}."
    yield "$TTL 5"
    yield f"@ SOA ns.dns.{ZONE}. hostmaster.{ZONE}. 1 7200 1800 86400 5"
    yield f"@ NS ns.dns.{ZONE}."
    yield "ns.dns A 10.96.0.10"
    yield "kubernetes.default.svc A 10.96.0.1"
    for service in contents.services:
        yield from _records(service)
    for (namespace, name), addresses in contents.endpoints.items():
        yield from (f"{name}.{namespace}.svc A {address}" for address in addresses)


def _records(service: Service) -> Iterator[str]:
    if service.cluster_ip is None:
        return
    owner = f"{service.name}.{service.namespace}.svc"
    yield f"{owner} A {service.cluster_ip}"
    for name, protocol, number in service.ports:
        yield f"_{name}._{protocol}.{owner} SRV 0 100 {number} {owner}"


def _external_walk(contents: Contents, chance: random.Random) -> list[str]:
    site, namespace = _site(chance), chance.choice(contents.services).namespace
    return _both(chain((f"{site}.{domain}" for domain in search_list(namespace)), (site,)))


def _short_name(contents: Contents, chance: random.Random) -> list[str]:
    return _both((_name(chance.choice(contents.services)),))


def _other_namespace(contents: Contents, chance: random.Random) -> list[str]:
    """svc.namespace, asked for in another namespace: the second domain of the search path makes it whole."""
    service, here = chance.choice(contents.services), chance.choice(contents.services).namespace
    return _both(f"{service.name}.{service.namespace}.{domain}" for domain in search_list(here)[:2])


def _srv(contents: Contents, chance: random.Random) -> list[str]:
    return [f"_http._tcp.{_name(chance.choice(contents.services))} SRV"]


def _both(names: Iterable[str]) -> list[str]:
    return [f"{name} {qtype}" for name in names for qtype in ("A", "AAAA")]


def _name(service: Service) -> str:
    return f"{service.name}.{service.namespace}.svc.{ZONE}"


def _site(chance: random.Random) -> str:
    return f"www-{chance.randrange(_SITES)}.example.com"


def _random_label(chance: random.Random) -> str:
    return f"x{chance.getrandbits(64):016x}"


SETS: Final = (
    QuestionSet("hot", hot, _ALL),
    QuestionSet("hot, 10,000 qps", hot, _ALL, rate=10_000),
    QuestionSet("hot, TCP", hot, _ZONE, tcp=True),
    QuestionSet("hot under churn", hot, _CLUSTER, churn=True),
    QuestionSet("hot, log on", hot, _CLUSTER, directives="log"),
    QuestionSet("mix", mix, _CLUSTER),
    QuestionSet("nxflood", nxflood, _ZONE, once=True),
    QuestionSet("external, cached", external_cached, _CLUSTER),
    QuestionSet("external, cold", external_cold, _CLUSTER, once=True),
    QuestionSet("external, cold, 2,000 qps", external_cold, _CLUSTER, rate=2_000, once=True),
    *(
        QuestionSet(f"headless, {size:,} endpoints{', TCP' * tcp}", headless(size), _ZONE, tcp=tcp)
        for size in LARGE
        for tcp in (False, True)
    ),
)
