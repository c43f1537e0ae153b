"""file: zones that a master file describes (RFC 1035 section 5).

What a name has is dns.authority's; how the file is read, and when, zonefiles'. An alias that leads out of the zone is
followed from the entrance. Falls through only where a name doesn't exist, as CoreDNS does.
"""

from asyncio import AbstractEventLoop, Task
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from kdns.config.directives.zonefiles import File as FileSettings
from kdns.dns import types
from kdns.dns.names import Name, is_below, to_text
from kdns.dns.records import ExtendedError
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request, Rest, Whole, asked_then
from kdns.steps.leading import continued
from kdns.steps.zonefiles import ZoneFile
from kdns.zone.entry import Owner, file_owner

NAME: Final = "file"

Forget = Callable[[set[Owner]], None]


class File:
    """Answers from zone files."""

    __slots__ = ("_ends", "_entrance", "_fallthrough", "_files", "_forget", "_loop", "_owners", "_tasks", "_through")

    def __init__(
        self,
        files: Iterable[ZoneFile],
        fallthrough: Sequence[Name],
        entrance: Rest,
        loop: AbstractEventLoop,
        forget: Forget | None = None,
    ) -> None:
        """Without forget, which takes the owners whose remembered replies are void, none may be remembered."""
        self._files = sorted(files, key=lambda each: -len(each.origin))
        self._ends = tuple(each.origin for each in self._files)
        self._through = tuple(fallthrough)
        self._entrance = entrance
        self._loop = loop
        self._forget = forget
        self._owners: dict[Name, tuple[Owner, ...]] = {}
        self._tasks: list[Task[None]] = []
        for each in self._files:
            owner = file_owner(each.origin, each.path)
            self._owners[each.origin] = () if forget is None else (owner,)
            if forget is not None:
                each.on_change.append(partial(forget, {owner}))

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        name = request.query.name
        if not name.endswith(self._ends):
            return rest(request, done)
        file = self._file_of(name)
        if file is None:
            return rest(request, done)
        if file.zone is None and file.wait(self._loop, partial(self._ask_late, file, request, rest, done)):
            return None
        return self._answer(file, request, rest, done)

    def whole(self, zone: Name) -> Whole | Failed | None:
        """As Source.whole."""
        file = self._file_of(zone)
        if file is None or file.origin != zone:
            return None
        held = file.zone
        return _unread(file) if held is None else Whole(held.soa, held.serial, held.sets())

    def notify(self, tell: Callable[[Name], None]) -> None:
        """As Source.notify."""
        for each in self._files:
            each.on_change.append(partial(tell, each.origin))

    def start(self, around: Around) -> None:
        """Reads the files, and goes on looking at them until close."""
        self._tasks += [around.loop.create_task(each.watch(around.log)) for each in self._files]

    def close(self) -> None:
        """Looks at no file any more."""
        for task in self._tasks:
            task.cancel()

    def _file_of(self, name: Name) -> ZoneFile | None:
        return next((each for each in self._files if is_below(name, each.origin)), None)

    def _ask_late(self, file: ZoneFile, request: Request, rest: Rest, done: Done) -> None:
        try:
            outcome = self._answer(file, request, rest, done)
        except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
            outcome = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), NAME, fault)
        if outcome is not None:
            done(outcome)

    def _answer(self, file: ZoneFile, request: Request, rest: Rest, done: Done) -> Outcome | None:
        query, zone = request.query, file.zone
        if zone is None:
            return _unread(file)
        owners = self._owners[file.origin]
        found = zone.look(query.qname, query.qtype)
        if found.absent and any(is_below(query.name, each) for each in self._through):
            return asked_then(partial(_dependent, owners), rest, request, done)
        if found.chase is not None:
            target = request._replace(query=query.replace(qname=found.chase))
            prefix = found.answer
            return asked_then(
                lambda outcome: continued(query, prefix, outcome, NAME, owners), self._entrance, target, done
            )
        return Answered(found.answer, owners, NAME)


def make(settings: Sequence[FileSettings], around: Around) -> File:
    """One step for all directives of a server block: of zones within each other the innermost one answers.

    Where several have fallthrough the last one's counts, as in CoreDNS; of several files for one zone, too.
    """
    files = {
        zone: ZoneFile(zone, each.file, each.reload_s, each.reload_by_mtime)
        for each in settings
        for zone in each.zones or around.zones
    }
    fallthrough = next((each.fallthrough for each in reversed(settings) if each.fallthrough), ())
    made = File(files.values(), fallthrough, around.entrance, around.loop, around.forget)
    made.start(around)
    return made


def _dependent(owners: tuple[Owner, ...], outcome: Outcome) -> Outcome:
    """What others say of a name that isn't in the zone yet."""
    if not isinstance(outcome, Answered):
        return outcome
    return outcome._replace(owners=outcome.owners + owners if outcome.owners and owners else (), alike=None)


def _unread(file: ZoneFile) -> Failed:
    text = f"the zone {to_text(file.origin)} couldn't be read"
    return Failed(types.SERVFAIL, ExtendedError(types.EDE_NOT_READY, text), NAME)
