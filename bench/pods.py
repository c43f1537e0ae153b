"""Pods of the measured cluster: as many as make watching them cost what it does, and one of each namespace to look names up from.

The lab has no kubelets and keeps a Pod as it is given, so a Pod may have any address. Those that look names up have
one of 127.0.0.0/8, from which this machine can ask.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from itertools import islice
from typing import Final, NamedTuple

from bench.api import Api
from tests.lab import Lab

_CONNECTIONS: Final = 8
_FIRST_CLIENT: Final = IPv4Address("127.10.0.1")
_FIRST: Final = IPv4Address("10.192.0.1")


class Pod(NamedTuple):
    """A Pod that runs."""

    namespace: str
    name: str
    address: str


def fill(lab: Lab, namespaces: Sequence[str], count: int) -> list[Pod]:
    """Makes so many Pods, spread over the namespaces; those that look names up, the first of each namespace."""
    pods = [_pod(number, namespaces) for number in range(count)]
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        list(pool.map(lambda turn: _create(lab, islice(pods, turn, None, _CONNECTIONS)), range(_CONNECTIONS)))
    return pods[: len(namespaces)]


def _pod(number: int, namespaces: Sequence[str]) -> Pod:
    asks = number < len(namespaces)
    address = _FIRST_CLIENT + number if asks else _FIRST + number
    return Pod(namespaces[number % len(namespaces)], f"pod-{number}", str(address))


def _create(lab: Lab, pods: Iterable[Pod]) -> None:
    with Api(lab) as api:
        for pod in pods:
            api.create_pod(*pod)
