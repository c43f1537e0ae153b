"""cache: what upstreams said is kept, for as long as they allow.

Defaults are CoreDNS 1.14's (plugin/cache). Names of the cluster are never kept by time.
"""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Law, Only, Settings, argument, flag, option, zones
from kdns.config.domains import ZONE, zone_unless
from kdns.config.kinds import duration, is_whole, percentage, seconds, whole, words
from kdns.config.shapes import GIVEN, record, spread
from kdns.dns import names
from kdns.dns.names import Name

Policy: TypeAlias = Literal["prefer_positive"]

CAPACITY: Final = 9984
TTL_MAX_S: Final = 3600
DENIAL_TTL_MAX_S: Final = 1800
TTL_MIN_S: Final = 5
STALE_S: Final = 3600.0
_FAILURE_MAX_S: Final = 300.0  # RFC 2308 section 7.1
_TTL_LIMIT: Final = 2**32 - 1
# Octets of a sort's replies with all that they cost: enough that any one is kept; enough for nearly all (one address costs
# 550), but no more than the default capacity has; and what that gives to each.
_OCTETS_LEAST: Final = 512 << 10
_OCTETS_EACH: Final = 1024
_OCTETS: Final = 4 << 20


class Keeping(NamedTuple):
    """How many replies of a sort are kept, and for how many seconds at the most and at the least."""

    capacity: int
    ttl_max_s: int | None = None  # None is what stands behind the directive's name, or else the sort's default
    ttl_min_s: int = TTL_MIN_S

    @property
    def octets(self) -> int:
        """How much memory these replies may take together, with all that they cost."""
        return max(_OCTETS_LEAST, min(self.capacity * _OCTETS_EACH, _OCTETS), self.capacity * _OCTETS // CAPACITY)


class Prefetch(NamedTuple):
    """Which replies are asked for again before their time ends; percent is what is left of the TTL by then."""

    amount: int = 0
    duration_s: float = 60.0
    percent: int = 10


class Stale(NamedTuple):
    """What is given past its time; all in seconds."""

    longest_s: float = STALE_S
    verify: bool = False  # whether upstreams are asked first
    timeout_s: float = 0.0  # for that; 0 is the upstreams' own
    ttl_s: float = 0.0
    recheck_s: float = 0.0  # after a failure, before upstreams are asked again


_STALE_FORM: Final = "serve_stale [DURATION [immediate [TTL [RECHECK]] | verify [TIMEOUT [TTL [RECHECK]]]]]"
_KEEPING: Final = record(
    Keeping, capacity=("CAPACITY", whole(0)), ttl_max_s=("TTL", seconds(1)), ttl_min_s=("MINTTL", seconds(0))
)


class Cache(Settings):
    """The cache's settings; kept_success and kept_denial have all defaults filled in."""

    ttl_s: int | None = argument("TTL", seconds(1), default=None, doc="The longest that a reply is kept, in seconds.")
    zones: tuple[Name, ...] = zones(
        "ZONE", kind=zone_unless(is_whole), doc="The zones whose replies are kept, by default the server block's."
    )
    success: Keeping = option(
        "success CAPACITY [TTL [MINTTL]]",
        _KEEPING,
        default=Keeping(CAPACITY),
        doc="How many positive replies are kept, and how long at the most (3600 s) and at the least (5 s).",
    )
    denial: Keeping = option(
        "denial CAPACITY [TTL [MINTTL]]",
        _KEEPING,
        default=Keeping(CAPACITY),
        doc="How many denials are kept, and how long at the most (1800 s) and at the least (5 s).",
    )
    prefetch: Prefetch = option(
        "prefetch AMOUNT [DURATION [PERCENTAGE]]",
        record(
            Prefetch,
            amount=("AMOUNT", whole(0)),
            duration_s=("DURATION", duration()),
            percent=("PERCENTAGE", percentage(10, 90)),
        ),
        default=Prefetch(),
        doc="Names asked for so often, never longer apart than DURATION (1m), are asked for again when PERCENTAGE (10%) "
        "of their time is left.",
    )
    serve_stale: Stale | None = option(
        _STALE_FORM,
        record(
            Stale,
            longest_s=("DURATION", duration()),
            verify=("verify", GIVEN),
            timeout_s=("TIMEOUT", duration()),
            ttl_s=("TTL", duration(0, _TTL_LIMIT)),
            recheck_s=("RECHECK", duration(0, _FAILURE_MAX_S)),
        ),
        default=None,
        bare=Stale(),
        any_case=True,
        doc="Replies up to DURATION (1h) past their time are given, at once or when the upstreams have failed to answer.",
    )
    serve_stale_policy: Policy | None = option(
        "serve_stale_policy POLICY",
        words(get_args(Policy), any_case=True),
        default=None,
        repeat="once",
        doc="A positive reply past its time is given before a denial that isn't.",
    )
    servfail_s: float = option(
        "servfail DURATION",
        duration(0, _FAILURE_MAX_S),
        default=5.0,
        doc="How long a SERVFAIL is kept; 0 keeps none.",
    )
    disable_success: tuple[Name, ...] = option(
        "disable success [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Positive replies of these zones, or of all, aren't kept.",
    )
    disable_denial: tuple[Name, ...] = option(
        "disable denial [ZONE...]",
        spread(ZONE),
        default=(),
        bare=(names.ROOT,),
        doc="Denials of these zones, or of all, aren't kept.",
    )
    keep_ttl: bool = flag("keepttl", doc="TTLs are given as the upstream gave them and don't count down.")

    @property
    def kept_success(self) -> Keeping:
        """How positive replies are kept, with a TTL."""
        return self._kept(self.success, TTL_MAX_S)

    @property
    def kept_denial(self) -> Keeping:
        """How denials are kept, with a TTL."""
        return self._kept(self.denial, DENIAL_TTL_MAX_S)

    def complete(self) -> "Cache":
        """The same with both TTLs of each sort."""
        return self.replaced(success=self.kept_success, denial=self.kept_denial)

    def _kept(self, keeping: Keeping, otherwise_s: int) -> Keeping:
        ttl_max_s = keeping.ttl_max_s or self.ttl_s or otherwise_s
        return keeping._replace(ttl_max_s=ttl_max_s)

    @property
    def stale_s(self) -> float:
        """For how long past their time replies are given while upstreams fail."""
        return STALE_S if self.serve_stale is None else self.serve_stale.longest_s


def _stale_ttl_is_whole(cache: Cache) -> bool:
    return cache.serve_stale is None or cache.serve_stale.ttl_s.is_integer()


DIRECTIVE: Final = Directive(
    Cache,
    "cache [TTL] [ZONE...]",
    doc="Keeps what upstreams said for as long as they allow.",
    repeat="once",
    differs=(
        "Names of the cluster are never kept by time: they change when the cluster does.",
        "Nor are answers of hosts, file and template, whose TTLs TTL doesn't bound.",
        "A denial that CNAMEs lead to is kept as its SOA says, not for 5 s; a referral isn't kept.",
        Only(
            "success denial", "A capacity is a number of replies, neither rounded nor raised; octets are bounded, too."
        ),
        "Without serve_stale, too, replies up to an hour past their time are given while no upstream answers.",
        "A reply past its time has a TTL of 30 s where serve_stale names none, or 0 (RFC 8767).",
        "A question that nobody answered isn't asked again for a second, then for two, and so on up to 5 minutes (RFC 9520).",
        Only("success denial", "A reply with a TTL of 0 isn't kept, whatever MINTTL is."),
    ),
    laws=(
        Law(
            lambda cache: cache.serve_stale_policy is None or cache.serve_stale is not None,
            "found serve_stale_policy without serve_stale, expected both",
            "serve_stale_policy",
        ),
        Law(_stale_ttl_is_whole, "expected whole seconds as the TTL of serve_stale", "serve_stale"),
    ),
)
