"""Which differences are meant to be: a table of reasons, and what is left once each has explained its own.

A reason explains single differences of a pair of replies, so two that come together (an NXDOMAIN that has become
NODATA, in a reply with RA) need no reason of their own. What none explains is left, and a mistake of one of the two
servers, or of the table. The reasons themselves are in intended, or wherever two servers are compared.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from kdns.diff.difference import SECTIONS, Difference, differences
from kdns.diff.question import Question
from kdns.dns.message import Message


class Pair(NamedTuple):
    """A question, and what two servers say to it: SILENCE where one says nothing."""

    question: Question
    theirs: Message
    ours: Message

    @property
    def rcodes(self) -> tuple[int, int]:
        """Both rcodes."""
        return self.theirs.rcode, self.ours.rcode


Explains: TypeAlias = Callable[[Pair, Difference], bool]


class Intended(NamedTuple):
    """A difference that is meant to be."""

    name: str  # of the row in docs/records.md, or of the directive's page
    reason: str
    explains: Explains


class Row(NamedTuple):
    """An intended difference before it is known which zones a server has."""

    name: str
    scope: str  # of the names asked for: cluster, reverse, own (both), others, any
    reason: str
    explains: Explains


class Verdict(NamedTuple):
    """What is to be said of a pair."""

    pair: Pair
    reasons: frozenset[str]  # the names of those that explained something
    left: tuple[Difference, ...]  # what nobody explained
    same_records: bool  # rcode and records are the same: flags, EDNS or a serial differ at the most


def judge(pair: Pair, table: Sequence[Intended], *, slack_s: int = 0) -> Verdict:
    """The verdict on a pair; neither reasons nor differences left if the replies say the same."""
    found = differences(pair.theirs, pair.ours, slack_s=slack_s)
    left, reasons = [], set()
    for each in found:
        reason = next((row.name for row in table if row.explains(pair, each)), None)
        if reason is None:
            left.append(each)
        else:
            reasons.add(reason)
    return Verdict(pair, frozenset(reasons), tuple(left), not any(map(_is_of_records, found)))


def _is_of_records(difference: Difference) -> bool:
    return difference.where.startswith(_OF_RECORDS) and not difference.where.endswith(" serial")


_OF_RECORDS: Final = ("reply", "rcode", "tc", *SECTIONS)


class Tally:
    """How many questions were asked and answered the same, as meant, or otherwise."""

    def __init__(self) -> None:
        self.asked = 0
        self.equal = 0
        self.same_records = 0  # the equal ones among them
        self.intended: Counter[str] = Counter()  # by reason; a pair with two reasons counts for both
        self.left: list[Verdict] = []

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Counts what has been judged."""
        for verdict in verdicts:
            self.asked += 1
            self.same_records += verdict.same_records
            if verdict.left:
                self.left.append(verdict)
            elif verdict.reasons:
                self.intended.update(verdict.reasons)
            else:
                self.equal += 1

    @property
    def differ_as_meant(self) -> int:
        """The questions whose replies differ in nothing but what is meant to be."""
        return self.asked - self.equal - len(self.left)
