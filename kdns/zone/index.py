"""The index: the entries being served, by owner, and the owners of every address.

Changed only by load (a whole image) and apply (a patch); apply says which owners it
touched, so that what was remembered of exactly those can be forgotten. The work of a patch
is in proportion to the slices that changed, not to the Services they belong to. Knows
nothing of names: schema turns a name into an owner.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from kdns.zone import entry as entries_of
from kdns.zone.addresses import AddressTable
from kdns.zone.entry import APEX, Entry, Owner, Service
from kdns.zone.patch import Image, Patch

_NOTHING: Final = Service(entries_of.Kind.SLICES_ONLY)


class RevisionGap(Exception):  # noqa: N818 - not a fault: the answer to it is to ask for the image
    """A patch that doesn't start at the index's revision."""


class Index:
    """Entries by owner at one revision. Before the first load it isn't synced and holds nothing."""

    __slots__ = ("_addresses", "_free", "_numbers", "_owners", "entries", "revision", "serial", "stale", "synced")

    def __init__(self, *, stale: bool = False) -> None:
        self.revision = 0
        self.serial = 0  # of the zone's SOA
        self.synced = False
        self.stale = stale  # it comes from a snapshot, in part or whole
        self.entries: dict[Owner, Entry] = {}
        self._addresses = AddressTable()
        self._numbers: dict[Owner, int] = {}  # of the Services, for the address table
        self._owners: list[Owner | None] = []  # the other way round
        self._free: list[int] = []

    @classmethod
    def of_addresses(cls, image: Image, addresses: Iterable[bytes]) -> "Index":
        """One that answers as an index of the whole image does, but of reverse names only those of these addresses.

        Quick to make: of 10,000 Services no more is read than which of them has one of the addresses.
        """
        index = cls(stale=image.stale)
        index.entries = dict(image.entries)
        wanted = tuple(addresses)
        for owner, entry in image.entries.items():
            if entries_of.is_service(owner) and any(
                entry.find(each) >= 0 and entries_of.has_address(entry, each) for each in wanted
            ):
                index._number(owner)
                index._addresses.add(entries_of.entry_addresses(entry), index._numbers[owner])
        index.revision, index.serial, index.synced = image.revision, image.serial, image.revision > 0
        return index

    def owners_at(self, address: bytes) -> list[Owner]:
        """The Services that have the address (4 or 16 octets) as ClusterIP, endpoint or outside, in alphabetical order."""
        found = set()
        for number in self._addresses.find(address):
            owner = self._owners[number]
            if owner is not None and entries_of.has_address(self.entries[owner], address):
                found.add(owner)
        return sorted(found)

    def extend(self, entries: Iterable[tuple[Owner, Entry]]) -> None:
        """Puts entries into an index that isn't served yet: an image in parts, before adopt."""
        for owner, entry in entries:
            if owner in self.entries:
                self._put(owner, entry, set())
                continue
            self.entries[owner] = entry
            if entries_of.is_service(owner):
                self._number(owner)
                self._addresses.add(entries_of.entry_addresses(entry), self._numbers[owner])

    def adopt(self, staged: "Index", revision: int, serial: int) -> None:
        """Takes over all that staged holds, at that revision; staged is of no use afterwards."""
        self.entries = staged.entries
        self._addresses = staged._addresses  # noqa: SLF001 - another of its own kind
        self._numbers = staged._numbers  # noqa: SLF001
        self._owners = staged._owners  # noqa: SLF001
        self._free = staged._free  # noqa: SLF001
        self.revision, self.serial, self.synced, self.stale = revision, serial, True, staged.stale

    def load(self, image: Image) -> None:
        """Holds exactly the image from now on. All that was remembered of the index before is void."""
        staged = Index(stale=image.stale)
        staged.extend(image.entries.items())
        self.adopt(staged, image.revision, image.serial)

    def apply(self, patch: Patch) -> set[Owner]:
        """Moves to the patch's revision and returns the owners it touched. Raises RevisionGap, and changes nothing then.

        Where stale changes all that was remembered is void, whatever is touched.
        """
        if not self.synced or patch.base != self.revision:
            raise RevisionGap(f"the index is at revision {self.revision}, the patch starts at {patch.base}")
        touched: set[Owner] = {APEX}
        for owner in patch.drops:
            self._drop(owner, touched)
        for owner, entry in patch.puts.items():
            self._put(owner, entry, touched)
        self.revision, self.serial, self.stale = patch.revision, patch.serial, patch.stale
        return touched

    def _put(self, owner: Owner, entry: Entry, touched: set[Owner]) -> None:
        old = self.entries.get(owner)
        if old == entry:
            return
        touched.add(owner)
        self.entries[owner] = entry
        if entries_of.is_service(owner):
            if owner not in self._numbers:
                self._number(owner)
            before = entries_of.unpack_service(old) if old is not None else _NOTHING
            self._readdress(owner, before, entries_of.unpack_service(entry), touched)

    def _drop(self, owner: Owner, touched: set[Owner]) -> None:
        old = self.entries.pop(owner, None)
        if old is None:
            return
        touched.add(owner)
        if entries_of.is_service(owner):
            self._readdress(owner, entries_of.unpack_service(old), _NOTHING, touched)
            number = self._numbers.pop(owner)
            self._owners[number] = None
            self._free.append(number)

    def _number(self, owner: Owner) -> None:
        if self._free:
            number = self._free.pop()
            self._owners[number] = owner
        else:
            number = len(self._owners)
            self._owners.append(owner)
        self._numbers[owner] = number

    def _readdress(self, owner: Owner, before: Service, after: Service, touched: set[Owner]) -> None:
        number = self._numbers[owner]
        gone = _addresses_beyond(before, after)
        new = _addresses_beyond(after, before)
        self._addresses.remove(gone, number)
        self._addresses.add(new, number)
        if self.synced:  # nothing is remembered of an index that isn't served yet
            touched.update(map(entries_of.address_owner, gone), map(entries_of.address_owner, new))


def _addresses_beyond(one: Service, other: Service) -> list[bytes]:
    """Each address of one as often as it stands in slices, ClusterIPs and what is outside that other hasn't.

    The reverse name of an endpoint follows from its slice and owner alone, so a slice that
    is in both has nothing to forget.
    """
    found = []
    if one.v4 != other.v4:
        found += [one.v4[at : at + 4] for at in range(0, len(one.v4), 4)]
    if one.v6 != other.v6:
        found += [one.v6[at : at + 16] for at in range(0, len(one.v6), 16)]
    slices = (Counter(one.slices) - Counter(other.slices)).elements() if other.slices else one.slices
    for packed in slices:
        found += entries_of.slice_addresses(packed)
    if one.outside != other.outside:
        found += entries_of.outside_addresses(one.outside)
    return found
