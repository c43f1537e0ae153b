"""How far a source is with each resource, as readiness and metrics tell it."""

from typing import NamedTuple


class ResourceStatus(NamedTuple):
    """One resource as its source sees it."""

    synced: bool  # it has been listed whole, or isn't there to be listed
    age_s: float | None  # seconds since the last proof that what is known is current; None before the first
    trouble: str | None  # what keeps it from being current, in one line for an operator
