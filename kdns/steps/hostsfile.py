"""Hosts: the names and addresses of a file like /etc/hosts and of a directive's own lines, as tables to look things up in.

A source is one of these two; what it has of a name and a family, or else of a wildcard that the name fits, stands before
what the other one has (as CoreDNS joins them). All that takes time in proportion to the lines is done here, in portions,
and nothing of it when a question comes.
Standards: hosts(5); RFC 1035 section 3.5, RFC 3596 section 2.5 (reverse names).
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple, TypeAlias

from kdns.dns.names import ROOT, Name, NameTextError, fold, from_text, is_below
from kdns.dns.records import Packed

LINES_AT_ONCE: Final = 500  # about a millisecond's work

Addresses: TypeAlias = tuple[Packed, Packed]  # of four octets, and of sixteen
_Names: TypeAlias = dict[Name, list[bytes]]

_STAR: Final = b"\x01*"
_SIZES: Final = (4, 16)


class Ignored(NamedTuple):
    """A line, or a part of one, that is none of a hosts file."""

    line: int
    found: str
    expected: str

    def __str__(self) -> str:
        return f"line {self.line}: found {self.found[:80]!r}, expected {self.expected}"


class Source:
    """What one source has, by family; wildcards under the name below which they stand."""

    __slots__ = ("_packed", "_reverse", "_zones", "entries", "ignored", "names", "reverse", "used", "wild")

    def __init__(self, zones: Sequence[Name], *, reverse: bool) -> None:
        """Of names outside the zones nothing is taken; reverse says whether addresses have names."""
        self.names: tuple[_Names, _Names] = ({}, {})
        self.wild: tuple[_Names, _Names] = ({}, {})
        self.reverse: dict[Name, list[Name]] = {}
        self.entries = 0  # as CoreDNS counts: an address of a name, a name of an address
        self.ignored: list[Ignored] = []
        self.used = 0  # lines that are ones of a hosts file
        self._zones = tuple(zones)
        self._reverse = reverse
        self._packed: dict[str, tuple[bytes, Name]] = {}  # lists of names to block have one address in all lines

    def add(self, address: str, names: Iterable[Name]) -> None:
        """Takes an address, which may name its interface, and its names. Raises ValueError for what is no address."""
        known = self._packed.get(address)
        if known is None:
            known = self._packed[address] = _address(address)
        packed, reverse_name = known
        family = len(packed) == 16
        for name in names:
            if not any(is_below(name, zone) for zone in self._zones):
                continue
            self.entries += 1
            if name.startswith(_STAR):
                if name[2]:  # a star alone stands for no name
                    self.wild[family].setdefault(Name(name[2:]), []).append(packed)
                continue
            self.names[family].setdefault(name, []).append(packed)
            if self._reverse:
                self.entries += 1
                self.reverse.setdefault(reverse_name, []).append(name)

    def read(self, octets: bytes) -> Iterator[None]:
        """Takes the lines of a file, in portions; what is none of one is among the ignored."""
        for number, line in enumerate(octets.split(b"\n"), 1):
            words = line.partition(b"#")[0].split()
            if words:
                self._take(number, [word.decode(errors="backslashreplace") for word in words])
            if number % LINES_AT_ONCE == 0:
                yield

    def _take(self, number: int, words: list[str]) -> None:
        names = []
        for word in words[1:]:
            try:
                names.append(fold(from_text(word)))
            except NameTextError as error:
                self.ignored.append(Ignored(number, word, f"a domain name ({error})"))
        if len(words) == 1:
            self.ignored.append(Ignored(number, words[0], "an address and at least one name"))
            return
        try:
            self.add(words[0], names)
        except ValueError:
            self.ignored.append(Ignored(number, words[0], "an IP address"))
            return
        self.used += 1

    def addresses(self, family: int, name: Name) -> list[bytes]:
        """What it has of the name."""
        return self.names[family].get(name) or self.wild[family].get(Name(name[name[0] + 1 :]), [])


class Table:
    """All sources together."""

    __slots__ = ("_within", "ends", "entries", "names", "reverse", "wild")

    def __init__(self) -> None:
        self.names: dict[Name, Addresses] = {}
        self.wild: dict[Name, Addresses] = {}  # by the name below which they stand
        self.reverse: dict[Name, tuple[Name, ...]] = {}
        self.entries = 0
        self.ends: frozenset[Name] = frozenset()  # last labels of names of several
        self._within: dict[Name, bool] = {}

    def addresses(self, name: Name) -> Addresses | None:
        """The addresses of a folded name; None where it isn't there."""
        found = self.names.get(name)
        if found is None and self.wild:
            return self.wild.get(Name(name[name[0] + 1 :]))
        return found

    def reaches(self, zone: Name) -> bool:
        """Whether any of the names, or of those that a wildcard stands for, lies below the zone."""
        found = self._within.get(zone)
        if found is None:
            found = any(is_below(name, zone) for names in (self.names, self.wild) for name in names)
            self._within[zone] = found
        return found


def table_of(sources: Sequence[Source]) -> Generator[None, None, Table]:
    """The table of the sources, the first before the others, made in portions."""
    table = Table()
    table.entries = sum(source.entries for source in sources)
    ends = set()
    explicit = dict.fromkeys(name for source in sources for names in source.names for name in names)
    wild = dict.fromkeys(name for source in sources for names in source.wild for name in names)
    for number, name in enumerate(explicit, 1):
        table.names[name] = _joined([[source.addresses(family, name) for source in sources] for family in (0, 1)])
        ends.add(_end(name))
        if number % LINES_AT_ONCE == 0:
            yield
    for name in wild:
        table.wild[name] = _joined([[source.wild[family].get(name, []) for source in sources] for family in (0, 1)])
        ends.add(_end(Name(_STAR + name)))
    for source in sources:
        for address, names in source.reverse.items():
            table.reverse[address] = tuple(dict.fromkeys((*table.reverse.get(address, ()), *names)))
    table.ends = frozenset(ends - {ROOT})
    return table


def _joined(found: list[list[list[bytes]]]) -> Addresses:
    four, sixteen = (
        Packed(b"".join(dict.fromkeys(address for part in parts for address in part)), size)
        for parts, size in zip(found, _SIZES, strict=True)
    )
    return four, sixteen


def _end(name: Name) -> Name:
    """The last label of a name of several, else the root: nothing lies below a name of one label that is itself asked for."""
    start = name[0] + 1
    if not name[0] or not name[start]:
        return ROOT
    while name[start + name[start] + 1]:
        start += name[start] + 1
    return Name(name[start:])


def _address(text: str) -> tuple[bytes, Name]:
    """The octets of an address, and its reverse name. Raises ValueError."""
    address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.packed, from_text(address.reverse_pointer)


__all__ = ["Addresses", "Ignored", "Source", "Table", "table_of"]
