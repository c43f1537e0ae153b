"""A survey: very many questions put to two servers that live on meanwhile, and what is to be said of their replies.

A few questions at a time go to the one server and then to the other, no more in a second than allowed. What is
truncated is asked for by TCP as well, and names that answers tell of are asked for, too. What differs without a reason is asked
for again, later, up to twice: only what still differs then is left, since the cluster may have changed between two questions.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from kdns.diff.asking import TRIES, Address, ask
from kdns.diff.difference import SILENCE, Difference
from kdns.diff.naming import told_of
from kdns.diff.question import Question
from kdns.diff.verdict import Intended, Pair, Tally, Verdict, judge
from kdns.dns import types
from kdns.dns.foreign import ForeignError
from kdns.dns.message import Message
from kdns.dns.names import Name, fold, from_text, is_below

AGAIN: Final = 2
_KEPT_ROW: Final = "age"


class Servers(NamedTuple):
    """Who is asked."""

    theirs: Address
    ours: Address


class Manner(NamedTuple):
    """How they are asked."""

    rate: float = 1000.0  # questions a second, to each
    at_once: int = 16
    timeout_s: float = 3.0
    again_s: float = 1.0  # before what differs is asked for again


class Scope(NamedTuple):
    """What is asked for besides the questions given, and what is compared."""

    own: tuple[Name, ...]  # zones of the cluster, folded: names below them that answers tell of are asked for
    rtypes: frozenset[int] = frozenset()  # the only types; all where there is none
    limit: int = 0  # questions; 0 for no limit


Progress = Callable[[int, int], None]  # questions that were asked, and all that are known of


def ages(own: Sequence[Name]) -> Intended:
    """The TTLs of what each server has kept of upstreams since another moment: of names outside these zones (folded)."""

    def explains(_: Pair, difference: Difference) -> bool:
        if not difference.where.endswith(" ttl"):
            return False
        name = fold(from_text(difference.theirs.split(" ", 2)[1]))
        return not any(is_below(name, zone) for zone in own)

    return Intended(_KEPT_ROW, "each server counts down since it asked upstreams itself", explains)


def survey(
    servers: Servers,
    questions: Iterable[Question],
    table: Sequence[Intended],
    scope: Scope,
    manner: Manner,
    progress: Progress,
) -> Tally:
    """The tally of all questions, each asked once. Raises OSError, ForeignError."""
    tally, doubtful = Tally(), list[Verdict]()
    waiting = list(dict.fromkeys(_wanted(questions, scope)))
    if scope.limit:
        waiting = _spread(waiting, scope.limit)
    seen = set(waiting)
    way = _Way(manner, _Pace(manner.rate), scope.own[0])
    while waiting:
        following: dict[Question, None] = {}
        before = len(seen) - len(waiting)
        for number, pair in enumerate(_pairs(servers, waiting, way), 1):
            verdict = judge(pair, table)
            doubtful += [verdict] if verdict.left else []
            tally.add([] if verdict.left else [verdict])
            following.update(dict.fromkeys(each for each in _following(pair, scope) if each not in seen))
            progress(before + number, len(seen) + len(following))
        waiting = [*islice(following, max(0, scope.limit - len(seen)) if scope.limit else None)]
        seen.update(waiting)
    tally.add(_again(servers, doubtful, table, way))
    return tally


def check(address: Address, zone: Name, timeout_s: float) -> None:
    """Raises OSError, ForeignError where a server says nothing at all, not even of a zone's SOA."""
    if _ask(address, [Question(zone, types.SOA)], timeout_s, 1) == [SILENCE]:
        raise OSError(f"{_text(address)}: no reply within {TRIES * timeout_s:g} s, expected a DNS server")


def _again(servers: Servers, doubtful: list[Verdict], table: Sequence[Intended], way: "_Way") -> Iterator[Verdict]:
    """The last verdicts on what has differed."""
    for _ in range(AGAIN):
        if not doubtful:
            return
        time.sleep(way.manner.again_s)
        found = [judge(pair, table) for pair in _pairs(servers, [each.pair.question for each in doubtful], way)]
        yield from (each for each in found if not each.left)
        doubtful = [each for each in found if each.left]
    yield from doubtful


def _pairs(servers: Servers, questions: Sequence[Question], way: "_Way") -> Iterator[Pair]:
    manner = way.manner
    for at in range(0, len(questions), manner.at_once):
        batch = questions[at : at + manner.at_once]
        way.pace.wait(len(batch))
        replies = []
        for address in servers:
            said = _ask(address, batch, manner.timeout_s, manner.at_once)
            if all(each == SILENCE for each in said):
                check(address, way.zone, manner.timeout_s)
            replies.append(said)
        yield from (Pair(*each) for each in zip(batch, *replies, strict=True))


def _ask(address: Address, batch: Sequence[Question], timeout_s: float, at_once: int) -> list[Message]:
    """The replies of a server. Raises OSError, ForeignError, which name it."""
    try:
        return ask(address, batch, timeout_s=timeout_s, at_once=at_once)
    except OSError as error:
        raise OSError(f"{_text(address)}: {error.strerror or error}, expected a DNS server") from error
    except ForeignError as error:
        raise ForeignError(f"{_text(address)}: a reply that is none: {error}") from error


def _text(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _wanted(questions: Iterable[Question], scope: Scope) -> Iterator[Question]:
    return (each for each in questions if not scope.rtypes or each.qtype in scope.rtypes)


def _following(pair: Pair, scope: Scope) -> Iterator[Question]:
    """What a pair leads to."""
    if not pair.question.tcp and any(reply != SILENCE and reply.flags & types.TC for reply in pair[1:]):
        yield pair.question._replace(tcp=True)
    yield from _wanted(told_of(pair[1:], scope.own), scope)


def _spread(questions: list[Question], limit: int) -> list[Question]:
    """At most so many of them, from the whole of the list evenly."""
    if len(questions) <= limit:
        return questions
    return [questions[number * len(questions) // limit] for number in range(limit)]


class _Way(NamedTuple):
    """How all of a survey's questions are asked."""

    manner: Manner
    pace: "_Pace"
    zone: Name  # whose SOA every server has something to say of


class _Pace:
    """Holds back who would ask too fast."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._next = 0.0

    def wait(self, count: int) -> None:
        """Returns when so many may be asked."""
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + count / self._rate


__all__ = ["Manner", "Scope", "Servers", "ages", "check", "survey"]
