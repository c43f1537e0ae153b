"""Denials that hold for other names, where a step may say something else of one of these.

What the cluster denies is given to every name that it denies alike, without asking the chain (zone.alike). So a step that
passes a question on, but wouldn't pass on every name that ends as it does, takes that away. So does whoever treats the
names of a zone otherwise than those around it: the zone's border may lie among names denied alike.
"""

from collections.abc import Iterable

from kdns.dns.names import Name, fold
from kdns.steps.chain import Answered, Outcome


def apart(outcome: Outcome | None, zones: Iterable[Name], names: Iterable[Name] = ()) -> Outcome | None:
    """The outcome, for no other name if one of zones, or of names, may be denied alike. Both are folded.

    What comes later is never given to other names, so only what is there at once matters.
    """
    if not isinstance(outcome, Answered) or outcome.alike is None:
        return outcome
    end = fold(outcome.alike.end)
    if any(zone.endswith(end) or end.endswith(zone) for zone in zones) or any(name.endswith(end) for name in names):
        return outcome._replace(alike=None)
    return outcome


def bordered(outcome: Outcome | None, zones: Iterable[Name]) -> Outcome | None:
    """The outcome, for no other name if some of the names denied alike lie in one of zones, folded, and some don't."""
    if not isinstance(outcome, Answered) or outcome.alike is None:
        return outcome
    end = fold(outcome.alike.end)
    return outcome._replace(alike=None) if any(zone.endswith(end) and zone != end for zone in zones) else outcome
