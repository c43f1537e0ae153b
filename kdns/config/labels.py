"""Label selectors, as kubectl and CoreDNS read them.

A selector is requirements that all have to hold: a, !a, a=b, a==b, a!=b, a in (b, c), a notin (b, c), with commas
between. Source: Kubernetes' documentation of labels and selectors; apimachinery, pkg/labels.
"""

import re
from typing import Final, Literal, NamedTuple, TypeAlias

Operator: TypeAlias = Literal["In", "NotIn", "Exists", "DoesNotExist"]


class Requirement(NamedTuple):
    """What one label has to be; without values for Exists and DoesNotExist."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


Selector: TypeAlias = tuple[Requirement, ...]

_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY: Final = rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}"
_REQUIREMENT: Final = (
    rf"\s*(?:(?P<absent>!\s*{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<equal>==?|!=)\s*(?P<value>(?:{_NAME})?)|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)"
    r"\s*(?:,|$)"
)
_VALUE: Final = rf"(?:{_NAME})?"


def parse(text: str) -> Selector:
    """The selector that text writes. Raises ValueError, which says from where on it is none."""
    requirement = re.compile(_REQUIREMENT)
    found: list[Requirement] = []
    position = 0
    while position < len(text) or not found:
        match = requirement.match(text, position)
        if match is None or (match.end() == len(text) and text.endswith(",")):
            raise ValueError(f'a label selector (found "{text[position:].strip()[:40]}")')
        found.append(_requirement(match))
        position = match.end()
    return tuple(found)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent"][1:].strip(), "DoesNotExist")
    if match["equal"]:
        return Requirement(match["key"], "NotIn" if match["equal"] == "!=" else "In", (match["value"],))
    if match["set"]:
        values = tuple(each.strip() for each in match["values"].split(","))
        for value in values:
            if not re.fullmatch(_VALUE, value):
                raise ValueError(f'a label selector (found the value "{value}")')
        return Requirement(match["key"], "In" if match["set"] == "in" else "NotIn", values)
    return Requirement(match["key"], "Exists")
