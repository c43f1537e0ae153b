"""The reflector: one resource of the API server listed, then watched, as a state machine without IO.

Is told what came back (page, line, closed, silent, failed, refused) and when; returns deltas,
and by next() what to do. What was known stays until a new list is whole, then one Reset
replaces it. How a list is asked for is listing's to say, how objects are read intake's. Must not
know how requests are sent, nor who keeps the objects.
Sources: Kubernetes API Concepts, "Efficient detection of changes"; robustness rules K02-K34, K50.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from kdns.cluster import decode, refusals, targets
from kdns.cluster.audit import Audit, Beginning
from kdns.cluster.backoff import Backoff
from kdns.cluster.counters import Counters
from kdns.cluster.decode import DecodeError, DecodeOptions
from kdns.cluster.doubts import REREADS_MAX, Doubts
from kdns.cluster.draft import Draft, Known
from kdns.cluster.history import History, is_before
from kdns.cluster.intake import Intake
from kdns.cluster.listing import Listing
from kdns.cluster.objects import Delta, Drop, Key, Object, Problem, Put, Resource, Synced
from kdns.cluster.patience import LIST_IDLE_S, Patience
from kdns.cluster.refusals import Refusal
from kdns.cluster.rereads import Reread, Rereads
from kdns.cluster.targets import Request
from kdns.cluster.triggers import trigger

_WATCH_S: Final = (300, 600)  # how long a watch is asked to last, as client-go does
_LASTED_S: Final = 60.0  # a watch that lived so long came to something, even if nothing happened
_CLOSED_CAP_S: Final = 5.0  # for watches that end cleanly again and again (K08)
# Servers that send a bookmark just before they end a watch are within it.
_UNPROVEN_S: Final = 10.0
_FAILED_CAP_S: Final = 10.0  # for connections that fail
_RELIST_SPREAD_S: Final = 2.0  # so that not all who lost their place list at once (K03)
_RELIST_CAP_S: Final = 30.0  # for lists of which the watch can't go on
_RELIST_PAUSE_S: Final = 60.0  # between lists made because an event said not even whose it was
_ERRORS_MAX: Final = 3  # error events in a row after which the place in the history is given up


class Wait(NamedTuple):
    """Nothing to do until this time."""

    until: float


class _Mode(Enum):
    LIST = auto()
    PROBE = auto()  # is the server's history still the one that our version is of? (K26)
    WATCH = auto()


class Reflector:
    """One resource. Times are seconds of a monotonic clock; random gives numbers from 0 to 1."""

    def __init__(
        self,
        resource: Resource,
        *,
        known: Known,
        random: Callable[[], float],
        report: Callable[[Problem], None],
        options: DecodeOptions = decode.PLAIN,
        optional: bool = False,
        selector: str = "",
    ) -> None:
        """Takes known: which state of an object was last emitted; report: is told what is left out of objects; and
        selector: only objects with such labels are there.
        """
        self.resource: Final = resource
        self.counters: Final = Counters()
        self.rereads: Final = Rereads(resource, selector)
        self._selector = selector
        self.synced = False
        # When last a list was finished, an event or a bookmark came, or a watch went on where one broke off.
        self.freshness: float | None = None
        self.trouble: str | None = None  # one line, None where all is well
        self.audited_at: float | None = None  # which state was compared last, by an audit that came to its end
        self.streaming = False  # whether lines are expected: a watch is open
        self.doubts: Final = Doubts(self.counters)
        self._known = known
        self._random = random
        self._options = options
        self._intake = Intake(resource, options, known, report, (self.counters, self.doubts, self.rereads))
        self._listing = Listing(resource, options, known, selector)
        self._optional = optional
        self._backoff = Backoff(random)
        self._patience = Patience()
        self._history = History()
        self._relisting = Backoff(random)  # for places in the history that are lost again and again
        self._mode = _Mode.LIST
        self._due = 0.0  # nothing is asked before
        self._version = ""  # where in the history we are
        self._listed_at = 0.0
        self._opened_at = 0.0
        self._came = False  # anything, on this watch
        self._probed = False  # just before this watch
        self._missed = False  # an event said not even whose it was
        self._errors = 0  # events, in a row

    @property
    def idle_s(self) -> float:
        """How long to wait for the next octet."""
        if not self.streaming or self._mode is _Mode.LIST:
            return LIST_IDLE_S
        return self._patience.watch_idle_s

    def next(self, now: float) -> Request | Wait:
        """The request to send now, or until when to wait. To be called when nothing is open."""
        if now < self._due:
            return Wait(self._due)
        if self._mode is _Mode.WATCH:
            return targets.watch(self.resource, self._version, self._watch_s(), self._selector)
        if self._mode is _Mode.PROBE:
            return targets.probe(self.resource, self._selector)
        return self._listing.request(self._watch_s())

    @property
    def ahead(self) -> Request | None:
        """The page after the one that is being taken in, from its first step on; none where that is the last."""
        return self._listing.ahead

    @property
    def moves(self) -> int:
        """How often another cluster was found to answer."""
        return self._intake.moves

    # What came back

    def page(self, octets: bytes, now: float) -> Iterator[Sequence[Delta]]:
        """A list's page has come. Goes on by an object with each step; the last step has the deltas, if any."""
        try:
            page = decode.page(octets)
        except DecodeError as error:
            self.failed(f"what came is no list: {error}", now)
            return
        if self._mode is _Mode.PROBE:
            self._compare(page, now)
            return
        draft = self._drafted()
        self._listing.goes_on(page.token)
        for raw in page.items:
            self._intake.count(draft.put(raw), now)
            yield ()
        self._backoff.reset()
        if not page.token and self._listing.is_taken_into(draft):
            yield self._listed(draft, page.version, now)

    def opened(self, now: float) -> None:
        """The watch was accepted; lines follow, until streaming is False or the watch ends."""
        self.streaming = True
        self._opened_at = now
        self._came = False
        if self._mode is _Mode.WATCH and not self._errors:
            self.trouble = None
            if self._probed:
                self.freshness = now
        self._probed = False

    def line(self, octets: bytes, now: float) -> Sequence[Delta]:
        """A line of the watch has come. Afterwards the watch is to be closed where streaming is False."""
        if not self.streaming:
            return ()
        try:
            event = decode.event(octets)
            if event.type == "BOOKMARK":
                return self._bookmark(decode.bookmark(event.object), now)
        except DecodeError as error:
            return self._unreadable(str(error), now)
        if event.type == "ERROR":
            return self._error(refusals.read(event.object, 500), now)
        if self._mode is _Mode.LIST:
            return self._initial(event, now)
        return self._event(event, now)

    def closed(self, now: float) -> None:
        """The watch ended cleanly, as each does in the end."""
        if self._mode is _Mode.LIST:
            self._broke_off("the list's stream ended before all was there", now)
            return
        self._ended(now)
        if self.freshness is None or now - self.freshness > _UNPROVEN_S:
            self._mode = _Mode.PROBE  # that the next watch is accepted proves nothing
        self._due = now if self._progressed(now) else now + self._backoff.delay_s(_CLOSED_CAP_S)

    def silent(self, now: float) -> None:
        """Not an octet for idle_s. A watch may be dead without anybody saying so; all else has stalled."""
        if not self.streaming or self._mode is _Mode.LIST:
            self._broke_off(f"not an octet for {LIST_IDLE_S:g} s", now)
            return
        self._ended(now)
        self._patience.lost()
        self._mode = _Mode.PROBE
        self._due = now

    def failed(self, message: str, now: float) -> None:
        """No connection, or it broke off, or what came makes no sense."""
        self._broke_off(message, now)

    def oversized(self, message: str, now: float) -> None:
        """More came than can be taken. Of a list, the next page will be of half as many objects."""
        if not self.streaming:
            self._listing.oversized()
        self._broke_off(message, now)

    def refused(self, status: int, octets: bytes, retry_after_s: float | None, now: float) -> Sequence[Delta]:
        """Another HTTP status than 200 came, with this body and header Retry-After."""
        return self._refused(refusals.read(octets, status, retry_after_s), now)

    # Rereads, beside the watch

    def reread(self, now: float) -> Reread | None:
        """An object to be read again now; none while a list is under way, which reads them all."""
        return None if self._mode is _Mode.LIST else self.rereads.take(now)

    def reread_came(self, asked: Reread, octets: bytes, now: float) -> Sequence[Delta]:
        """The answer to a reread: the object, or a list of nothing where it is gone."""
        made = self.rereads.came(asked, octets, self._options, now)
        if made is None:
            return ()
        if not made.decoded:
            self.counters.undecodable += 1
            return ()
        self._intake.note(made)
        self.doubts.settled(asked.key, made.object.stamp if made.object else None)
        return (self._delta(asked.key, made.object),)

    # Audits, beside the watch

    def audit(self, keys: Iterable[Key], now: float) -> Audit | None:
        """A comparison to be made now with all that is known, by key; none while a list is under way, which is as good."""
        if self._mode is _Mode.LIST:
            return None
        began = Beginning(now, self.counters.lists, self._version)
        return Audit(self.resource, self._known, keys, self.doubts.left_out(), began, self._selector)

    def audited(self, audit: Audit, now: float) -> None:
        """An audit has come to its end and had its second look. Few suspects are read again; many, with all else.

        What is open is to be closed where streaming is False then.
        """
        if self._mode is _Mode.LIST or audit.began.lists != self.counters.lists:
            return
        self.audited_at = audit.began.at
        suspects = self.doubts.take(audit)
        if is_before(audit.version, audit.began.version):
            self._go_back(audit.version, now)
        elif not suspects:
            self.freshness = max(audit.began.at, self.freshness or 0.0)
        elif len(suspects) > REREADS_MAX:
            self._relist(now)
        else:
            for key in suspects:
                self.rereads.want(key, now)

    def start_over(self, now: float) -> None:
        """What is known is another cluster's: lists anew, and trusts none of it. What is open is to be closed."""
        self.counters.rewinds += 1
        self._version = ""
        self._intake.trusts = False
        self._relist(now)

    # Lists

    def _drafted(self) -> Draft:
        # Where nothing was listed yet nothing is known, and there is no use in asking.
        return self._listing.draft(afresh=not (self._intake.trusts and self.synced))

    def _initial(self, event: decode.Event, now: float) -> Sequence[Delta]:
        """An event of a list that comes as a stream."""
        draft = self._drafted()
        if event.type != "DELETED":
            self._intake.count(draft.put(event.object), now)
            return ()
        made = self._intake.read(event.object)
        if made.head:
            draft.drop(made.head.key)
        return ()

    def _listed(self, draft: Draft, version: str, now: float) -> Sequence[Delta]:
        """All of a list is there."""
        if self._is_back(version):
            if not self._history.is_sure(now):
                return self._go_back(version, now)
            self.counters.rewinds += 1
        self._history.went_on()
        self.counters.relists += bool(self.counters.lists)
        self.counters.lists += 1
        self._listed_at = now
        self._listing.done()
        self._intake.trusts = True
        self._missed = False
        self._errors = 0
        self._version = version
        self._mode = _Mode.WATCH
        self._proven(now)
        self._backoff.reset()
        self.doubts.settle_all(draft.stamp)
        return self._become_synced(draft.reset())

    def _become_synced(self, *deltas: Delta) -> Sequence[Delta]:
        first, self.synced = not self.synced, True
        return (*deltas, Synced(self.resource)) if first else deltas

    def _relist(self, due: float) -> Sequence[Delta]:
        """Lists anew; the old state stays as it is until that is whole."""
        self.streaming = False
        self._mode = _Mode.LIST
        self._listing.forget()
        self._due = due
        self.rereads.clear()
        return ()

    # The history

    def _is_back(self, version: str) -> bool:
        return is_before(version, self._version)

    def _go_back(self, version: str, now: float) -> Sequence[Delta]:
        """The server's history ends before ours: a backup was restored, or another server lags. Lists tell which."""
        self._history.went_back(now)
        self._intake.trusts = False
        said = f"the newest state is {version}, older than {self._version}, which was seen; what was last known stays"
        self.trouble = f"{targets.full_name(self.resource)}: {said}"
        return self._relist(now + self._relisting.delay_s(_CLOSED_CAP_S))

    def _compare(self, page: decode.Page, now: float) -> None:
        """A probe told the server's newest version. A watch from a later one would be accepted, and stay silent."""
        for raw in page.items:
            self._intake.recognize(self._intake.read(raw))
        if self._is_back(page.version):
            self._go_back(page.version, now)
        else:
            self._history.went_on()
            self._mode = _Mode.WATCH
            self._probed = True

    def _proven(self, now: float) -> None:
        self.freshness = now
        self.trouble = None

    # Watches

    def _bookmark(self, bookmark: decode.Bookmark, now: float) -> Sequence[Delta]:
        self._came = True
        if self._mode is _Mode.LIST:
            return self._listed(self._drafted(), bookmark.version, now) if bookmark.initial_events_end else ()
        self._patience.heard(bookmark=True)
        if self._is_back(bookmark.version):
            return self._go_back(bookmark.version, now)
        self._version = bookmark.version
        self._heard(now)
        return self._make_good(now)

    def _event(self, event: decode.Event, now: float) -> Sequence[Delta]:
        made = self._intake.read(event.object)
        if made.head is None:
            return self._unreadable("an object without a name", now)
        key, stamp = made.head
        self.counters.events += 1
        # In the order of the stream, whatever the numbers say (K12).
        self._version = stamp.version or self._version
        self._heard(now)
        self.rereads.forget(key)
        self.doubts.heard(key)
        if event.type == "DELETED":
            return (Drop(self.resource, key),)
        self._intake.count(made, now)
        if not made.decoded:
            return ()
        delta = self._delta(key, made.object)
        if isinstance(delta, Put) and self.resource == "endpointslices":
            triggered, problems = trigger(key, event.object)
            self._intake.complain(problems)
            delta = delta._replace(triggered=triggered)
        return (delta,)

    def _heard(self, now: float) -> None:
        self._came = True
        self._errors = 0
        self._patience.heard()
        self._relisting.reset()
        self._proven(now)

    def _delta(self, key: Key, new: Object | None) -> Delta:
        return Drop(self.resource, key) if new is None else Put(self.resource, new)

    def _watch_s(self) -> int:
        shortest, longest = _WATCH_S
        return shortest + int(self._random() * (longest - shortest))

    # What goes wrong

    def _unreadable(self, message: str, now: float) -> Sequence[Delta]:
        """An event that doesn't even say whose it is: something was missed."""
        self.counters.undecodable += 1
        if self._mode is _Mode.LIST:
            self._broke_off(message, now)
            return ()
        self._missed = True
        return self._make_good(now)

    def _make_good(self, now: float) -> Sequence[Delta]:
        """Lists again if something was missed since the last list, and that isn't too short ago."""
        return self._relist(now) if self._missed and now - self._listed_at >= _RELIST_PAUSE_S else ()

    def _progressed(self, now: float) -> bool:
        return self._came or now - self._opened_at >= _LASTED_S

    def _ended(self, now: float) -> None:
        """An open watch is no more."""
        if self.streaming:
            self.streaming = False
            self.counters.reconnects += 1
            if self._progressed(now):
                self._backoff.reset()

    def _broke_off(self, message: str, now: float) -> None:
        """What was asked last came to nothing; half a list counts for nothing (K05)."""
        if self._mode is _Mode.LIST:
            self._listing.broke_off(streaming=self.streaming)
            self.streaming = False
        else:
            self._ended(now)
            self._mode = _Mode.PROBE
        self.trouble = f"{targets.full_name(self.resource)}: {message}"
        self._due = now + self._backoff.delay_s(_FAILED_CAP_S)

    def _error(self, refusal: Refusal, now: float) -> Sequence[Delta]:
        """An ERROR event: as the same status would be, but not again and again at the same place."""
        self._errors += 1
        if self._mode is _Mode.WATCH and self._errors >= _ERRORS_MAX:
            self._errors = 0
            return self._relist(now + self._backoff.delay_s(_FAILED_CAP_S))
        return self._refused(refusal, now)

    def _refused(self, refusal: Refusal, now: float) -> Sequence[Delta]:
        listing, begun = self._mode is _Mode.LIST, self._listing.has_begun
        self.streaming = False
        if listing and self._listing.refused(refusal):
            return ()
        if refusal.expired and (begun or not listing):
            # A compacted history, a restarted server, a list that took too long: nothing of that is trouble.
            spread_s = 0.0 if begun else self._backoff.spread_s(_RELIST_SPREAD_S)
            return self._relist(now + spread_s + self._relisting.delay_s(_RELIST_CAP_S))
        if refusal.bad_request and self._mode is _Mode.WATCH:
            return self._relist(now + self._backoff.delay_s(_FAILED_CAP_S))
        if refusal.too_new and not listing:
            self._mode = _Mode.PROBE
        # What has been listed once is there, whatever an API server says that has only begun.
        absent = self._optional and not self.counters.lists
        self.trouble = refusal.line(self.resource, optional=absent)
        self._due = now + refusal.delay_s(self._backoff, optional=absent)
        if self._optional and refusal.unavailable and not self.synced:
            return self._become_synced()
        return ()
