"""How far a source is with each resource, as readiness and metrics tell it."""

from typing import NamedTuple

from kdns.cluster.counters import Counters


class ResourceStatus(NamedTuple):
    """One resource as its source sees it."""

    synced: bool  # it has been listed whole, or isn't there to be listed
    age_s: float | None  # since the last proof that what is known is current; None before the first
    trouble: str | None  # what keeps it from being current, in one line for an operator; None where all is well
    counters: Counters = Counters()  # nobody adds to this one
    audit_age_s: float | None = None  # since the last audit that came to its end; None before, and where there are none
