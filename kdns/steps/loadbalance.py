"""loadbalance: which of several addresses come first, where settings prefer some or weigh them.

That all take turns (round_robin) is the responder's doing, also of what it remembers; so this step does nothing then. With
prefer, addresses of the ranges come first, and those of the first range that has several take turns: the outcome
depends on nothing new and may be remembered as before. With weights, chance decides anew for each question of a name
that has some, so nothing of such a name is remembered; names without weights are the responder's.
"""

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import Final, TypeAlias

from kdns.config.directives.loadbalance import Loadbalance as Settings
from kdns.config.endpoints import Network, is_address
from kdns.dns import types
from kdns.dns.names import Name, NameTextError, fold, from_text
from kdns.dns.order import (
    Rank,
    addresses_of,
    by_rank,
    is_several,
    led_by,
    owner_of,
    ranked,
    run_of,
    with_first,
)
from kdns.dns.records import RecordSet
from kdns.dns.wire import WireError
from kdns.steps.around import Around
from kdns.steps.carriers import Random
from kdns.steps.chain import Answered, Done, Outcome, Relayed, Request, Rest, asked_then
from kdns.steps.watched import DamagedError, Portions, Watched

NAME: Final = "loadbalance"
WEIGHT_MAX: Final = 255
LINES_AT_ONCE: Final = 500

_ADDRESSES: Final = frozenset((types.A, types.AAAA))

Weights: TypeAlias = Mapping[Name, Mapping[bytes, int]]  # by folded name and address


def make(settings: Settings, around: Around) -> "Preferring | Weighted | None":
    """The step; None where the responder does all there is to do."""
    if settings.weights is not None:
        return Weighted(settings.weights, settings.reload_s, around)
    return Preferring(settings.preferred) if settings.preferred else None


class Preferring:
    """Puts the addresses of some ranges in front of all others."""

    __slots__ = ("_change",)

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._change = partial(_by_rank, rank_of(networks))

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        if request.query.qtype not in _ADDRESSES:
            return rest(request, done)
        return asked_then(self._change, rest, request, done)


def rank_of(networks: tuple[Network, ...]) -> Rank:
    """The number of the first range that an address is in; that of them all for one in none."""
    ranges = [
        (network.max_prefixlen // 8, network.max_prefixlen - network.prefixlen, int(network.network_address))
        for network in networks
    ]

    def rank(address: bytes) -> int:
        size, value = len(address), int.from_bytes(address, "big")
        for number, (of_size, shift, start) in enumerate(ranges):
            if size == of_size and (value ^ start) >> shift == 0:
                return number
        return len(ranges)

    return rank


def _by_rank(rank: Rank, outcome: Outcome) -> Outcome:
    if isinstance(outcome, Answered):
        answer = outcome.answer
        if not any(map(is_several, answer.answers)):
            return outcome
        sets = [part for records in answer.answers for part in _parts(records, rank)]
        return outcome._replace(answer=answer._replace(answers=tuple(sets)))
    if not isinstance(outcome, Relayed):
        return outcome
    try:
        run = outcome.rotation or run_of(outcome.octets)
    except WireError:
        return outcome
    if run is None:
        return outcome
    octets, rotation = ranked(outcome.octets, run, rank)
    return outcome._replace(octets=octets, rotation=rotation, lasting=None)


def _parts(records: RecordSet, rank: Rank) -> tuple[RecordSet, ...]:
    return by_rank(records, rank) if is_several(records) else (records,)


class Weighted:
    """Lets chance say which address comes first, by the weights of a file."""

    __slots__ = ("_file", "_forget_all", "_log", "_random", "_weights")

    def __init__(self, path: str, reload_s: float, around: Around) -> None:
        self._forget_all = around.forget_all
        self._random = around.random
        self._log = around.log
        self._weights: Weights = {}
        self._file = Watched(path, self._read, around, reload_s)

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        if request.query.qtype not in _ADDRESSES or not self._weights:
            return rest(request, done)
        return asked_then(self._change, rest, request, done)

    def close(self) -> None:
        """Looks at the file no more."""
        self._file.close()

    def _change(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Answered):
            return self._of_answer(outcome)
        return self._of_reply(outcome) if isinstance(outcome, Relayed) else outcome

    def _of_answer(self, outcome: Answered) -> Outcome:
        sets: list[RecordSet] = []
        for records in outcome.answer.answers:
            weights = self._weights.get(fold(records.name)) if is_several(records) else None
            if weights is None:
                sets.append(records)
            else:
                sets += with_first(records, chosen(weights, records.rdatas, self._random))
        if len(sets) == len(outcome.answer.answers):
            return outcome
        return outcome._replace(answer=outcome.answer._replace(answers=tuple(sets)), owners=(), alike=None)

    def _of_reply(self, outcome: Relayed) -> Outcome:
        try:
            run = outcome.rotation or run_of(outcome.octets)
            weights = None if run is None else self._weights.get(owner_of(outcome.octets, run))
        except WireError:
            return outcome
        if run is None or weights is None:
            return outcome
        number = chosen(weights, addresses_of(outcome.octets, run), self._random)
        octets, rotation = led_by(outcome.octets, run, number)
        return outcome._replace(octets=octets, until=0.0, rotation=rotation, lasting=None)

    def _read(self, octets: bytes) -> Portions:
        self._weights = yield from weights_of(octets)
        self._forget_all()


def chosen(weights: Mapping[bytes, int], addresses: Sequence[bytes], random: Random) -> int:
    """The number of the address that chance says, by their weights; an address without one has 1."""
    each = [weights.get(address, 1) for address in addresses]
    # 64 bits: that the sum doesn't divide them shows nowhere.
    left = int.from_bytes(random.randbytes(8), "big") % sum(each)
    for number, weight in enumerate(each):
        left -= weight
        if left < 0:
            return number
    raise AssertionError("the sum of the weights is less than they are together")


def weights_of(octets: bytes) -> Generator[None, None, Weights]:
    """The weights that a file tells: a name alone in its line, and below it addresses with weights from 1 to 255.

    Empty lines and those that begin with # say nothing. Made in portions; raises DamagedError at the first line that is
    something else.
    """
    found: dict[Name, dict[bytes, int]] = {}
    weights: dict[bytes, int] | None = None
    for number, line in enumerate(octets.split(b"\n"), 1):
        words = line.decode(errors="backslashreplace").split()
        if number % LINES_AT_ONCE == 0:
            yield
        if not words or words[0].startswith("#"):
            continue
        if len(words) == 1 and not is_address(words[0]):
            weights = found.setdefault(_name(number, words[0]), {})
        elif len(words) == 2 and weights is not None:
            address, weight = _weighted(number, *words)
            weights[address] = weight
        else:
            expected = "a name in a line before" if len(words) == 2 else "a name, or an address and its weight"
            raise DamagedError(f"line {number}: found {' '.join(words)[:80]!r}, expected {expected}")
    return found


def _name(number: int, text: str) -> Name:
    try:
        return fold(from_text(text))
    except NameTextError as error:
        raise DamagedError(f"line {number}: found {text[:80]!r}, expected a domain name ({error})") from error


def _weighted(number: int, address: str, weight: str) -> tuple[bytes, int]:
    if not is_address(address):
        raise DamagedError(f"line {number}: found {address[:80]!r}, expected an IP address")
    if not (weight.isascii() and weight.isdigit() and len(weight) <= 3 and 0 < int(weight) <= WEIGHT_MAX):
        raise DamagedError(f"line {number}: found the weight {weight[:80]!r}, expected 1 to {WEIGHT_MAX}")
    found = ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).packed, int(weight)
