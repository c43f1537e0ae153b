"""Kinds of the DNS: names, zones, types, classes, rcodes.

A zone may be written as a range of addresses and is several then. Names are folded and absolute, as all are that are
compared.
"""

from collections.abc import Callable, Mapping
from typing import Final

from kdns.config import zones
from kdns.config.forms import UnfitError
from kdns.config.kinds import is_duration, is_whole, of_text
from kdns.config.mnemonics import CLASSES, RCODE_MAX, RCODES, TYPE_MAX, TYPES
from kdns.config.shapes import Kind
from kdns.config.syntax import Token
from kdns.dns import names
from kdns.dns.names import Name, NameTextError

_REVERSE: Final = (names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))
EVERY_TYPE: Final = 0  # in a list of types: all of them


def is_reverse(zone: Name) -> bool:
    """Whether a zone is one of addresses' names."""
    return any(names.is_below(zone, each) for each in _REVERSE)


def _name(token: Token) -> Name:
    try:
        return names.fold(names.from_text(token.text))
    except NameTextError as error:
        raise UnfitError(f"a domain name ({error})") from error


def _zones(token: Token) -> tuple[Name, ...]:
    try:
        return zones.expand(token.text)
    except NameTextError as error:
        raise UnfitError(f"a zone or a range of addresses ({error})") from error


def zone_unless(refused: Callable[[str], bool]) -> Kind[tuple[Name, ...]]:
    """Zones, where texts that could be ones mean something else."""

    def read(token: Token) -> tuple[Name, ...]:
        if refused(token.text):
            raise UnfitError(ZONE.expects)
        return _zones(token)

    return Kind(ZONE.expects, read, ZONE.example, doubt=_doubt)


def _doubt(text: str) -> str:
    """CoreDNS takes what is no number for a zone without a word, so `cache 30s` caches nothing."""
    if is_duration(text) or is_whole(text):
        return f'"{text}" is taken as the name of a zone'
    return ""


NAME: Final = Kind("a domain name", _name, "www.example.org")
ZONE: Final = Kind("a zone or a range of addresses", _zones, "example.org", doubt=_doubt)


def _mnemonic(
    what: str, known: Mapping[str, int], most: int, prefix: str, example: str, *, any_case: bool
) -> Kind[int]:
    def read(text: str) -> int:
        found = known.get(text.upper() if any_case else text)
        if found is None:
            digits = text.upper().removeprefix(prefix)
            if (prefix and digits == text.upper()) or not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
                raise ValueError(text)
            found = int(digits)
        if found > most:
            raise ValueError(text)
        return found

    texts = {number: name for name, number in known.items()}
    return of_text(
        f"{what} such as {example}", read, example, write=lambda number: texts.get(number, f"{prefix}{number}")
    )


def record_type(*, any_case: bool = False) -> Kind[int]:
    """A record type by its mnemonic or as TYPE123."""
    return _mnemonic("a record type", TYPES, TYPE_MAX, "TYPE", "AAAA", any_case=any_case)


def record_class(*, any_case: bool = False) -> Kind[int]:
    """A class by its mnemonic."""
    return _mnemonic("a class", CLASSES, TYPE_MAX, "CLASS", "IN", any_case=any_case)


def rcode(*, any_case: bool = True) -> Kind[int]:
    """An rcode by its mnemonic or number."""
    return _mnemonic("an rcode", RCODES, RCODE_MAX, "", "SERVFAIL", any_case=any_case)


def _type_or_all(token: Token) -> int:
    if token.text == "*":
        return EVERY_TYPE
    try:
        return record_type().read(token)
    except UnfitError as error:
        raise UnfitError(TYPE_OR_ALL.expects) from error


TYPE_OR_ALL: Final = Kind("a record type such as AAAA, or * for all", _type_or_all, "AAAA")
