"""Selection: which objects a label selector takes, and how the API writes it.

A selector is requirements that all have to hold. Of an API server it is asked, so that what it leaves out is never sent;
of a manifest, matches says the same. Reading what an operator wrote is config.labels'.
Source: apimachinery, pkg/labels.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

# A label, In, NotIn, Exists or DoesNotExist, and values, for the first two.
Requirement: TypeAlias = tuple[str, str, tuple[str, ...]]
Selector: TypeAlias = tuple[Requirement, ...]

ALL: Final[Selector] = ()


def matches(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether an object with these labels is taken; without requirements every one is."""
    return all(_holds(requirement, labels) for requirement in selector)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    key, operator, values = requirement
    found = labels.get(key)
    match operator:
        case "In":
            return found in values
        case "NotIn":
            return found not in values  # a label that isn't there is none of them
        case "Exists":
            return found is not None
        case _:
            return found is None


def written(selector: Selector) -> str:
    """The selector as the API's labelSelector has it; empty for all."""
    return ",".join(_FORMS[operator].format(key=key, values=",".join(values)) for key, operator, values in selector)


_FORMS: Final = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}
