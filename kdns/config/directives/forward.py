"""forward: what is asked of other servers, of which, and how.

Defaults are CoreDNS 1.14's (plugin/forward).
"""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Law, Only, Settings, argument, flag, option
from kdns.config.domains import NAME, ZONE, rcode
from kdns.config.endpoints import IP, IP_PORT, UPSTREAM, Upstream
from kdns.config.kinds import FilePath, duration, file, text, whole, words
from kdns.config.settings import Address
from kdns.config.shapes import GIVEN_NOT, many, record, spread
from kdns.config.syntax import WARNING
from kdns.dns import names, types
from kdns.dns.names import Name

Policy: TypeAlias = Literal["random", "round_robin", "sequential"]
DohMethod: TypeAlias = Literal["GET", "POST"]

UPSTREAMS_MAX: Final = 15
_UINT32_MAX: Final = 2**32 - 1


class HealthCheck(NamedTuple):
    """What an upstream is asked, and how often, after it has failed."""

    interval_s: float = 0.5
    recursion: bool = True
    domain: Name = names.ROOT


class Certificates(NamedTuple):
    """For TLS: the client's certificate and key, and whom it trusts; what isn't named is the system's, or none."""

    certificate: FilePath | None = None
    key: FilePath | None = None
    authorities: FilePath | None = None


class Forward(Settings):
    """Where questions go that nothing before has answered."""

    origin: tuple[Name, ...] = argument("FROM", ZONE, doc="The zone whose questions are forwarded; . is all.")
    upstreams: tuple[Upstream, ...] = argument(
        "TO",
        many(UPSTREAM),
        doc="Up to 15 upstreams: addresses, resolv.conf files, host names, with tls:// or https:// or without.",
    )
    exceptions: tuple[Name, ...] = option(
        "except ZONE...", spread(ZONE), default=(), repeat="each", doc="Zones whose questions aren't forwarded."
    )
    force_tcp: bool = flag("force_tcp", doc="Upstreams are asked over TCP, whatever the client used.")
    prefer_udp: bool = flag("prefer_udp", doc="Upstreams are asked over UDP first, whatever the client used.")
    expire_s: float = option("expire DURATION", duration(), default=10.0, doc="How long an unused connection is kept.")
    max_age_s: float = option(
        "max_age DURATION", duration(), default=0.0, doc="How long a connection is used at all; 0 for ever."
    )
    max_idle_conns: int = option(
        "max_idle_conns NUMBER",
        whole(0),
        default=0,
        doc="How many unused connections to an upstream are kept; 0 for any.",
    )
    read_timeout_s: float = option(
        "read_timeout DURATION", duration(positive=True), default=2.0, doc="How long one try waits for an upstream."
    )
    max_fails: int = option(
        "max_fails NUMBER",
        whole(0, _UINT32_MAX),
        default=2,
        doc="After so many failed probes an upstream is down; 0 for never.",
    )
    max_connect_attempts: int | None = option(
        "max_connect_attempts NUMBER",
        whole(0, _UINT32_MAX),
        default=None,
        doc="How many tries a question has; by default two for each upstream, 0 for any number.",
    )
    doh_method: DohMethod = option(
        "doh_method METHOD", words(get_args(DohMethod)), default="POST", doc="How https:// upstreams are asked."
    )
    tls: Certificates | None = option(
        "tls [CA | CERT KEY [CA]]",
        record(
            Certificates,
            certificate=("CERT", file("cert.pem")),
            key=("KEY", file("key.pem")),
            authorities=("CA", file("ca.pem")),
        ),
        default=None,
        bare=Certificates(),
        doc="The client's certificate and key, and whose certificates of upstreams are believed; the system's by default.",
    )
    tls_server_name: str = option(
        "tls_servername NAME",
        text("a host name", "dns.example.org"),
        default="",
        doc="The name that certificates of upstreams have to have.",
    )
    policy: Policy = option(
        "policy POLICY", words(get_args(Policy)), default="random", doc="Which upstream is asked first."
    )
    health_check: HealthCheck = option(
        "health_check DURATION [no_rec | domain FQDN]...",
        record(
            HealthCheck, interval_s=("DURATION", duration()), recursion=("no_rec", GIVEN_NOT), domain=("FQDN", NAME)
        ),
        default=HealthCheck(),
        doc="How often an upstream that failed is probed (0.5s), without the RD bit, and for which name (the root).",
    )
    max_concurrent: int = option(
        "max_concurrent MAX", whole(0), default=0, doc="How many questions may wait for upstreams at a time; 0 for any."
    )
    next: tuple[int, ...] = option(
        "next RCODE...",
        many(rcode()),
        default=(),
        repeat="each",
        doc="Upon these rcodes the next forward of the server block is asked.",
    )
    next_on_nodata: bool = flag("next_on_nodata", doc="Upon NODATA the next forward of the server block is asked.")
    fail_fast: bool = flag(
        "failfast_all_unhealthy_upstreams", doc="While all upstreams are down the reply is SERVFAIL at once."
    )
    failover: tuple[int, ...] = option(
        "failover RCODE...",
        many(rcode()),
        default=(),
        repeat="each",
        doc="Upon these rcodes the next upstream is asked.",
    )
    source_address: str = option("source_address IP", IP, default="", doc="The address that upstreams are asked from.")
    resolvers: tuple[Address, ...] = option(
        "resolver ADDRESS...",
        many(IP_PORT),
        default=(),
        doc="Who is asked for upstreams' host names; by default those of /etc/resolv.conf.",
    )


def _has_one_server_name(forward: Forward) -> bool:
    return not (forward.tls_server_name and any(each.server_name for each in forward.upstreams))


def _names_servers_over_tls(forward: Forward) -> bool:
    return bool(forward.tls_server_name) or all(
        each.server_name or each.transport == "dns" or each.sort != "address" for each in forward.upstreams
    )


DIRECTIVE: Final = Directive(
    Forward,
    "forward FROM TO...",
    doc="Asks other servers.",
    repeat="each",
    differs=(
        Only(
            "max_concurrent",
            "Over max_concurrent a question gets a reply past its time, if one is kept, and SERVFAIL otherwise, not REFUSED.",
        ),
        Only(
            "https://",
            "https:// upstreams may have a path, and the name behind % is theirs, too; without one it is /dns-query.",
        ),
        Only(
            "https://", "A reply over https:// counts by its status and content type; its Age and max-age lower TTLs."
        ),
        Only(
            "tls:// https://",
            "Certificates of tls:// and https:// host names have to have that name, not the address it leads to.",
        ),
        "An upstream that failed is asked after the others until it answers a probe; the time between probes doubles up to 16 s.",
        "REFUSED, and the first SERVFAIL, are asked of the next upstream without failover, too.",
        "Files like resolv.conf are read again when they change, host names resolved again when their TTL is over.",
        Only("next", "Where no other forward has the name, next has no effect; in CoreDNS that is SERVFAIL."),
        "A zone's name has neither scheme nor port: dns://example.org:53 is an error.",
    ),
    gone={
        "spray": "policy random",
        "protocol": "write force_tcp, prefer_udp or tls://",
        "upstream": "leave it out",
    },
    laws=(
        Law(
            lambda forward: len(forward.upstreams) <= UPSTREAMS_MAX,
            f"expected at most {UPSTREAMS_MAX} upstreams",
        ),
        Law(
            lambda forward: len(forward.origin) == 1,
            "found a range of several zones: only the first is forwarded",
            severity=WARNING,
        ),
        Law(
            lambda forward: not 0 < forward.max_age_s < forward.expire_s,
            "found a max_age below expire, expected it above or 0",
            "max_age",
        ),
        Law(
            lambda forward: types.NOERROR not in forward.failover,
            "found NOERROR in failover, expected rcodes of failures",
            "failover",
        ),
        Law(
            _has_one_server_name,
            "found tls_servername and an upstream with a name of its own, expected one of them",
            "tls_servername",
        ),
        Law(
            _names_servers_over_tls,
            "tls:// or https:// without tls_servername: certificates are held against the address",
            severity=WARNING,
        ),
    ),
)
