"""A name without records, and the words in which hints speak of it: what is near, what is elsewhere, what was meant.

What is looked through for names that are near is bounded, since anybody who reaches a server's pages may ask.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from kdns.cluster.objects import Key
from kdns.config.complaints import nearest_several
from kdns.explain.evidence import Below, Evidence
from kdns.explain.explanation import Reason, Reply

LOOKED_AT: Final = 5000  # objects
_COMPARED: Final = 1000  # names, some 5 ms; a search path of 32 domains then takes 0.2 s, were all of them such
SHOWN: Final = 3


class Denied(NamedTuple):
    """A name without records, where it lies, and what was said to each question."""

    evidence: Evidence
    place: Below
    replies: tuple[Reply, ...]
    as_given: bool  # it is the name as it was asked for, not one of the search path's making


class Hints(NamedTuple):
    why: str
    reasons: tuple[Reason, ...] = ()


HIDDEN: Final = Reason(code="hidden", text="the option namespaces of the directive kubernetes says which are shown")


def named(key: Key) -> str:
    return f"{key.namespace}/{key.name}"


def reason(code: str, text: str) -> Reason:
    return Reason(code=code, text=text)


def near(word: str, known: Iterable[str]) -> list[str]:
    """Names that are spelt alike, of the thousand that are about as long."""
    alike = sorted(known, key=lambda each: abs(len(each) - len(word)))[:_COMPARED]
    return nearest_several(word, alike, SHOWN)


def with_label(denied: Denied, at: int, other: str) -> str:
    """The name with another label, from that of the branch (-1) to the left."""
    labels = list(denied.place.labels)
    labels[at] = other
    return ".".join((*labels, denied.place.origin))
