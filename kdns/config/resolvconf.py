"""resolv.conf: the upstreams and the search path of the machine, as resolv.conf(5) and glibc read them.

Pure: text in, values out; any text at all gives a value. Addresses are as written but
checked, IPv6 with its zone where it has one. Which of the upstreams are fit to be asked
is for others to say.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from kdns.config.endpoints import is_address

NAMESERVERS_MAX: Final = 15  # glibc uses three of them, CoreDNS' forward 15
NDOTS: Final = 5  # of a pod, as the kubelet writes it
NDOTS_MAX: Final = 15  # glibc's RES_MAXNDOTS


class ResolvConf(NamedTuple):
    """What a resolv.conf says."""

    nameservers: tuple[str, ...] = ()  # IP addresses, each once, at most NAMESERVERS_MAX
    search: tuple[str, ...] = ()  # domains without final dot
    ndots: int = 1
    left_out: tuple[str, ...] = ()  # nameservers that are no address, or too many


def parse(text: str) -> ResolvConf:
    """What the text says; of several search or domain lines the last counts, lines of other kinds don't."""
    nameservers: list[str] = []
    left_out: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for line in text.splitlines():
        keyword, *words = line.partition("#")[0].partition(";")[0].split() or [""]
        match keyword:
            case "nameserver":
                _add(words[:1], nameservers, left_out)
            case "search":
                search = tuple(word.rstrip(".") for word in words if word.rstrip("."))
            case "domain":
                search = tuple(word.rstrip(".") for word in words[:1] if word.rstrip("."))
            case "options":
                ndots = _ndots(words, ndots)
    return ResolvConf(tuple(nameservers), search, ndots, tuple(left_out))


def _add(words: Sequence[str], nameservers: list[str], left_out: list[str]) -> None:
    for word in words:
        if word in nameservers:
            continue
        fits = is_address(word) and len(nameservers) < NAMESERVERS_MAX
        (nameservers if fits else left_out).append(word)


def _ndots(words: Sequence[str], before: int) -> int:
    """The number in the last ndots option that has one, cut as glibc cuts it."""
    for word in words:
        name, _, value = word.partition(":")
        if name == "ndots" and value.isascii() and value.isdigit():
            before = int(value[:4]) if len(value) <= 4 else NDOTS_MAX
    return min(before, NDOTS_MAX)
