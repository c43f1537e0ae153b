"""The steps that a question goes through, in their fixed order, and what comes of it.

A step answers at once (an outcome), asks the rest of the chain, or waits: it returns None
and calls done exactly once later, from the event loop, never before ask has returned. So
nothing is allocated for waiting where nothing waits.

A step that changes things does so in its own ask, and nowhere else:
- the question: it asks the rest with request._replace(query=request.query.replace(...));
- the answer: it asks the rest by asked_then, whose change sees what came, now or later, and
  must put right what the changed question left in it (the name, above all). What came may be
  Relayed octets, which are read and rewritten by dns.message alone.
Policy looks at the request it is given, which is the final one at its place in the order.

A step that raises is one SERVFAIL: whoever runs the chain catches what ask raises; what is
raised after a wait comes as Failed with its cause. Both are for the runner to count and log.
Its own done never raises, since whoever calls it has other questions to go on with.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from kdns.dns import types
from kdns.dns.lasting import Lasting
from kdns.dns.names import Name
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError, RecordSet
from kdns.dns.reply import Rotation
from kdns.zone.alike import Alike
from kdns.zone.entry import Owner


class Client(Protocol):
    """Who asks. Looked at by few, so an address may become text only when it is."""

    @property
    def host(self) -> str:
        """The IP address as text."""
        ...

    @property
    def port(self) -> int: ...


class Peer(NamedTuple):
    """A client whose address is text already."""

    host: str
    port: int


class Request(NamedTuple):
    """A query and where it came from."""

    query: Query
    client: Client
    transport: str  # "udp" or "tcp"
    chases: int = 0  # how often it came back to the entrance
    since: int | None = None  # of a question for IXFR: the serial of the zone that the client has


class Answered(NamedTuple):
    """An answer of our own making; owners are what it depends on, all of them, or () where it may not be remembered.

    With alike it is a denial that other names get, too: whoever changes the answer or the question's name takes that away.
    With until it may be remembered up to then, in the loop's time, and not for as long as its owners stay as they are.
    """

    answer: Answer
    owners: tuple[Owner, ...] = ()
    by: str = ""  # the step that answered, for metrics
    alike: Alike | None = None
    until: float | None = None


class Relayed(NamedTuple):
    """An upstream's reply, already checked to answer this question, but for id and the name's case; its octets as they came, or kept.

    Up to until, in the loop's time, it may be given again to the same octets of a query without asking: whoever lets
    it depend on anything else takes that away. error says what is wrong with it, such as its age. rotation is where
    addresses lie that may change places. tidy is foreign.fit's. lasting is what lasts of the octets, if they are as they
    came and somebody has looked: whoever changes octets takes it away. owners are those whose change ends it before until.
    """

    octets: bytes
    by: str = ""
    until: float = 0.0
    error: ExtendedError | None = None
    rotation: Rotation | None = None
    tidy: bool = False
    lasting: Lasting | None = None
    owners: tuple[Owner, ...] = ()


class Failed(NamedTuple):
    """No answer could be had: the rcode to give, and why; cause is a fault of our own, to be counted and logged."""

    rcode: int
    error: ExtendedError | None = None
    by: str = ""
    cause: Exception | None = None


# No reply at all is to be given. What wraps steps passes it on like any failure; who runs the chain stays silent.
SILENCE: Final = -1
DROPPED: Final = Failed(SILENCE)


class Whole(NamedTuple):
    """A zone as it is at this moment, whatever changes while sets are read."""

    soa: RecordSet
    serial: int
    sets: Iterator[RecordSet]  # all of the zone's, the SOA first


class Transfer(NamedTuple):
    """A zone as it is at this moment, for who asked for all of it (RFC 5936): its sets one by one, the SOA first and last.

    sets is closed where nobody reads it to its end. Who changes answers leaves it as it is.
    """

    sets: Iterator[RecordSet]
    by: str = ""


Outcome: TypeAlias = Answered | Relayed | Failed | Transfer
Done: TypeAlias = Callable[[Outcome], None]
Rest: TypeAlias = Callable[[Request, Done], Outcome | None]


class Step(Protocol):
    """One link of the chain."""

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """The outcome, or None if done will be called with it later."""
        ...


CHASES: Final = 8  # as many as an ExternalName may lead on inside the zone

TRANSFERS: Final = frozenset((types.AXFR, types.IXFR))

_REFUSED: Final = Failed(types.REFUSED)
_ROUND: Final = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, f"led on more than {CHASES} times"))
_NOBODY: Final = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "nothing configured here answers this name"))


@runtime_checkable
class Placed(Protocol):
    """A step that says which names alone concern it: all others it passes on as they are."""

    @property
    def places(self) -> tuple[Name, ...]:
        """Ends of these names, folded; a name without any is none of its."""
        ...


@runtime_checkable
class Gate(Protocol):
    """A step that decides on transfers, and passes none on."""

    def lead_to(self, steps: Sequence[Step]) -> None:
        """Has it look for zones among these steps from now on."""
        ...


def compose(steps: Sequence[Step]) -> Rest:
    """The chain of steps, first to last, made once; a question that none of them answers fails with SERVFAIL.

    Without a gate among them transfers are refused before the first step. Placed steps that follow each other are passed
    together by names that concern none of them: each would cost two calls for nothing.
    """
    rest: Rest = _end
    beyond = rest
    places: tuple[Name, ...] = ()
    for step in reversed(steps):
        if isinstance(step, Placed):
            places += step.places
            rest = _passed_by(step, rest, places, beyond)
        else:
            rest = beyond = _linked(step, rest)
            places = ()
    gates = [step for step in steps if isinstance(step, Gate)]
    for gate in gates:
        gate.lead_to(steps)
    return rest if gates else _without_transfers(rest)


class Entrance:
    """The beginning of the chain, for steps that ask all of it again: a chase, an answer's new name.

    Such a step is made before the chain is, so the entrance is made first, handed to it, and led to the chain last.
    """

    __slots__ = ("_chain",)

    def __init__(self) -> None:
        self._chain: Rest = _end

    def lead_to(self, chain: Rest) -> None:
        """From now on, who asks here asks the chain."""
        self._chain = chain

    def __call__(self, request: Request, done: Done) -> Outcome | None:
        """As the chain's; past CHASES the question fails, so that no configuration sends one round for ever."""
        if request.chases >= CHASES:
            return _ROUND
        return self._chain(request._replace(chases=request.chases + 1), done)


def asked_then(change: Callable[[Outcome], Outcome], rest: Rest, request: Request, done: Done) -> Outcome | None:
    """What change makes of the rest's outcome, now or later; for a step that wraps the steps after it.

    Raises what change raises now; what it raises later goes to done as Failed.
    """

    def later(outcome: Outcome) -> None:
        done(_changed(change, outcome))

    outcome = rest(request, later)
    return None if outcome is None else change(outcome)


def _changed(change: Callable[[Outcome], Outcome], outcome: Outcome) -> Outcome:
    try:
        return change(outcome)
    except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more; it gets the fault as a value
        return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)


def _linked(step: Step, rest: Rest) -> Rest:
    ask = step.ask

    def here(request: Request, done: Done) -> Outcome | None:
        return ask(request, rest, done)

    return here


def _passed_by(step: Step, rest: Rest, places: tuple[Name, ...], beyond: Rest) -> Rest:
    """The step, unless a name lies in none of the places; then what is beyond all that have these."""
    ask = step.ask

    def here(request: Request, done: Done) -> Outcome | None:
        return ask(request, rest, done) if request.query.name.endswith(places) else beyond(request, done)

    return here


def _without_transfers(rest: Rest) -> Rest:
    def here(request: Request, done: Done) -> Outcome | None:
        return _REFUSED if request.query.qtype in TRANSFERS else rest(request, done)

    return here


def _end(_request: Request, _done: Done) -> Outcome:
    return _NOBODY
