"""What an explanation says, as values that go over HTTP as JSON and are told to people by telling.

Names are absolute, in presentation form; times are RFC 3339 as the API has them, ages are in seconds. Where something isn't
known the field is None or empty, never made up.
"""

from typing import Any, Final, Literal, TypeAlias

import msgspec

Outcome: TypeAlias = Literal["answered", "no-data", "no-name", "failed", "passed-on", "not-asked"]
Verdict: TypeAlias = Literal["answered", "nothing", "unknown"]
STATUSES: Final[dict[Verdict, int]] = {"answered": 0, "nothing": 1, "unknown": 2}


class Value(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Any part of an explanation."""


class Record(Value, frozen=True):
    name: str
    ttl: int
    type: str
    data: str


class Reply(Value, frozen=True):
    """What is said to a question of one type."""

    type: str
    rcode: str  # empty where the server passes the question on
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    leads_to: str = ""  # the target outside the cluster's zones, which upstreams are asked for
    error: str = ""  # as the reply's extended error has it


class Endpoint(Value, frozen=True):
    addresses: tuple[str, ...]
    ready: bool | None  # None where it isn't said, which counts as ready
    counts: bool  # whether it is among the records
    hostname: str = ""
    pod: str = ""
    since: str | None = None  # since when it is as it is; None where nobody says
    why: str = ""  # it isn't ready


class Object(Value, frozen=True):
    """One that an answer depends on."""

    kind: str
    namespace: str
    name: str
    resource_version: str = ""
    uid: str = ""
    place: str = ""  # FILE:LINE of a manifest
    says: str = ""  # what of it matters here
    changed: str | None = None  # of a slice: the last change that it was written for
    endpoints: tuple[Endpoint, ...] = ()
    not_ready: int = 0


class Candidate(Value, frozen=True):
    """A name of the search path."""

    name: str
    outcome: Outcome
    replies: tuple[Reply, ...] = ()
    rule: str = ""  # by which the records were made
    why: str = ""  # there are none
    objects: tuple[Object, ...] = ()


class Reason(Value, frozen=True):
    """What may be the matter, and what to do about it."""

    code: str
    text: str


class Resource(Value, frozen=True):
    """How fresh one resource is."""

    name: str
    synced: bool
    age_s: float | None = None  # since it was last known to be current
    trouble: str = ""
    objects: int = 0


class Freshness(Value, frozen=True):
    revision: int
    serial: int
    stale: bool
    resources: tuple[Resource, ...] = ()
    workers: tuple[int | None, ...] = ()  # the revision that each serves; None of one that serves none


class Path(Value, frozen=True):
    """How names are looked for."""

    whose: str
    search: tuple[str, ...] = ()
    ndots: int = 1
    note: str = ""


class Explanation(Value, frozen=True):
    name: str  # as given
    types: tuple[str, ...]
    source: str
    path: Path
    candidates: tuple[Candidate, ...]
    answered: str  # the candidate's name; empty if none
    verdict: Verdict
    reasons: tuple[Reason, ...]
    queries: int  # until there is an answer, by this path
    freshness: Freshness
    notes: tuple[str, ...] = ()  # what couldn't be found out, and why

    @property
    def status(self) -> int:
        """Of a command: 0 answered, 1 nothing found, 2 it can't be told."""
        return STATUSES[self.verdict]


def encode(explanation: Explanation) -> bytes:
    """As JSON."""
    return msgspec.json.encode(explanation)


def described(explanation: Explanation) -> dict[str, Any]:
    """The same as a plain value."""
    made: dict[str, Any] = msgspec.to_builtins(explanation)
    return made


def decode(octets: bytes) -> Explanation:
    """What encode made. Raises ValueError."""
    return msgspec.json.decode(octets, type=Explanation)


def retold(explanation: Explanation, source: str, notes: tuple[str, ...]) -> Explanation:
    """The same with another source and other notes."""
    return msgspec.structs.replace(explanation, source=source, notes=notes)
