"""Triggers: when the change happened that an EndpointSlice tells of, as Kubernetes' own controller writes it into an annotation.

The times of an object's text are RFC 3339. Read of events alone: what a list says has happened may be days old.
"""

import re
from calendar import timegm
from typing import Final

from kdns.cluster import shapes
from kdns.cluster.objects import Key, Problem
from kdns.cluster.shapes import Complaint, Octets, Reader, quoted

_PATH: Final = "metadata.annotations.endpoints.kubernetes.io/last-change-trigger-time"
_TRIGGERED: Final = Reader(shapes.Triggered, "an EndpointSlice")


def trigger(key: Key, raw: Octets) -> tuple[float, tuple[Problem, ...]]:
    """When it happened, in seconds since 1970, or 0 where that isn't told; and what is wrong with how it is.

    Raises DecodeError for what is no slice.
    """
    complaints: list[Complaint] = []
    text = _TRIGGERED.leniently(raw, complaints).metadata.annotations.time
    if complaints:
        return 0.0, tuple(Problem("EndpointSlice", key, *complaint) for complaint in complaints)
    seconds = seconds_of(text) if text else 0.0
    if seconds is None:
        return 0.0, (Problem("EndpointSlice", key, _PATH, quoted(text), "a time of RFC 3339"),)
    return seconds, ()


def seconds_of(text: str) -> float | None:
    """The time that the text says, in seconds since 1970; None where it says none."""
    found = _RFC3339.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    fraction, sign, hours, minutes = found.groups()[6:]
    if not (year and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60):
        return None
    offset_s = (int(hours) * 3600 + int(minutes) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return timegm((year, month, day, hour, minute, second)) - offset_s + float(fraction or 0)


_RFC3339: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))\Z"
)
