"""Counters: what has happened to a reflector, as numbers that only grow. Made for metrics; decides nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kdns.cluster.objects import Problem

REPAIRS: Final = ("missing", "outdated", "gone")  # how what was known differed from what there was
_FIELDS_MAX: Final = 100  # counted apart: users choose some of the names that fields have


@dataclass(slots=True)
class Counters:
    """Of one resource."""

    events: int = 0
    lists: int = 0
    relists: int = 0  # lists after the first
    reconnects: int = 0  # watches that ended, one way or another
    undecodable: int = 0  # objects and events
    rewinds: int = 0  # the server's history was found to have gone back
    audits: int = 0  # that came to their end
    audits_failed: int = 0
    repairs: Counter[str] = field(default_factory=Counter)  # objects that an audit mended, by how they differed
    problems: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and field, without indices

    def count(self, problems: Iterable[Problem]) -> None:
        """Counts the problems by kind and field."""
        for problem in problems:
            seen = (problem.kind, _without_indices(problem.field))
            if seen not in self.problems and len(self.problems) >= _FIELDS_MAX:
                seen = (problem.kind, "others")
            self.problems[seen] += 1


def _without_indices(path: str) -> str:
    """endpoints[].hostname of endpoints[7].hostname."""
    first, *rest = path.split("[")
    return first + "".join("[]" + part.partition("]")[2] for part in rest)
