"""dns64: IPv6 addresses for names that have IPv4 ones alone, so that clients without IPv4 reach them through a NAT64.

An AAAA question is asked of the rest of the chain first, and the A question only where that brings no address. Clients
that ask over IPv4 are left alone unless the settings say otherwise; so for them nothing may be remembered that doors of
both families share, and of what is made up for clients over IPv6 neither. A client that validates for itself gets no
made-up records (RFC 6147 section 5.5). How records and replies are translated is dns.translation's.
Standards: RFC 6147 sections 5.1, 5.3 and 5.5.
"""

from functools import partial
from typing import Final

from kdns.config.directives.dns64 import Dns64 as Settings
from kdns.dns import foreign, types
from kdns.dns.foreign import ForeignError
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.dns.translation import TTL_MAX, Prefix, has_type, soa_ttl, translate_reply, translate_sets
from kdns.dns.wire import WireError
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Client, Done, Failed, Outcome, Relayed, Request, Rest, Transfer, asked_then
from kdns.zone.entry import Owner

NAME: Final = "dns64"

_MAPPED: Final = "::ffff:"  # how the address of a client over IPv4 begins at a socket for both families


def make(settings: Settings, around: Around) -> "Dns64":  # noqa: ARG001 - every step is made so
    """The step."""
    return Dns64(settings)


class Dns64:
    """Sees to AAAA questions and passes all other types on."""

    __slots__ = ("_everyone", "_prefix", "_translate_all")

    def __init__(self, settings: Settings) -> None:
        network = settings.used_prefix
        self._prefix = Prefix(network.network_address.packed, network.prefixlen)
        self._everyone = settings.allow_ipv4
        self._translate_all = settings.translate_all

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qtype != types.AAAA:
            return rest(request, done)
        if not self._everyone and _over_ipv4(request.client):
            return asked_then(_unshared, rest, request, done)
        if query.do and query.flags & types.CD:
            return rest(request, done)

        def later(outcome: Outcome) -> None:
            try:
                found = self._second(outcome, request, rest, done)
            except Exception as fault:  # noqa: BLE001 - whoever runs the chain isn't below us any more
                found = Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, "internal error"), cause=fault)
            if found is not None:
                done(found)

        outcome = rest(request, later)
        return None if outcome is None else self._second(outcome, request, rest, done)

    def _second(self, outcome: Outcome, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """What to make of the answer to the AAAA question: it is the one, or the A question is asked."""
        if isinstance(outcome, (Failed, Transfer)) or not self._wants(request.query, outcome):
            return outcome
        plain = request._replace(query=request.query.replace(qtype=types.A))
        return asked_then(partial(self._joined, request.query, outcome), rest, plain, done)

    def _wants(self, query: Query, outcome: Answered | Relayed) -> bool:
        """Whether the name may have IPv4 addresses alone."""
        if isinstance(outcome, Answered):
            answer = outcome.answer
            found = any(records.rtype == types.AAAA for records in answer.answers)
            return answer.rcode != types.NXDOMAIN and (self._translate_all or not found)
        if foreign.rcode(outcome.octets) == types.NXDOMAIN or foreign.truncated(outcome.octets):
            return False
        try:
            return self._translate_all or not has_type(query, outcome.octets, types.AAAA)
        except WireError:
            return False

    def _joined(self, query: Query, six: Answered | Relayed, four: Outcome) -> Outcome:
        """The outcome of both questions: six's, unless there are addresses to translate in four's."""
        if isinstance(four, Relayed):
            return self._of_reply(query, six, four)
        if isinstance(four, Failed):
            return four if four.cause is not None else _depending(six, ())
        if isinstance(four, Transfer):  # not of a question for addresses
            return six
        if not any(records.rtype == types.A for records in four.answer.answers):
            return _depending(six, () if four.until is not None else four.owners)
        lasts = isinstance(six, Answered) and six.until is None and four.until is None
        owners = six.owners + four.owners if lasts and six.owners and four.owners else ()
        answer = translate_sets(four.answer, self._prefix, _ttl_max(query, six))
        return Answered(answer, owners if self._everyone else (), NAME)

    def _of_reply(self, query: Query, six: Answered | Relayed, four: Relayed) -> Outcome:
        until = min(six.until, four.until) if isinstance(six, Relayed) else 0.0
        try:
            ttl_max = _ttl_max(query, six)
            found = translate_reply(query, four.octets, self._prefix, ttl_max)
            if found is not None:
                tidy = not foreign.truncated(found.octets)
                return Relayed(
                    found.octets, NAME, until, four.error, found.rotation, tidy, owners=six.owners + four.owners
                )
            if not has_type(query, four.octets, types.A):
                return _depending(six, four.owners, four.until)
            answer = _read(query, four.octets)
        except (ForeignError, WireError) as error:
            text = f"the reply for IPv4 can't be used: {error}"
            return Failed(types.SERVFAIL, ExtendedError(types.EDE_OTHER, text), NAME)
        return Answered(translate_sets(answer, self._prefix, ttl_max)._replace(error=four.error), (), NAME)


def _read(query: Query, octets: bytes) -> Answer:
    """A reply of an upstream to the A question. Raises ForeignError."""
    # Imported by the first reply of an uncommon form: it brings in dnslib, which nothing else in a worker needs.
    from kdns.dns import message  # noqa: PLC0415

    return message.splice(query.replace(qtype=types.A), Answer(authoritative=False), octets)


def _over_ipv4(client: Client) -> bool:
    host = client.host
    return ":" not in host or (host.startswith(_MAPPED) and "." in host)


def _unshared(outcome: Outcome) -> Outcome:
    """The outcome for clients over IPv4, which those over IPv6 mustn't get."""
    return outcome._replace(owners=(), alike=None) if isinstance(outcome, Answered) else outcome


def _depending(six: Answered | Relayed, owners: tuple[Owner, ...], until: float = 0.0) -> Outcome:
    """The answer to the AAAA question, where the A question brought nothing: the day that it does this one is wrong."""
    if isinstance(six, Relayed):
        return six._replace(until=min(six.until, until), owners=six.owners + owners)
    return six._replace(owners=six.owners + owners if six.owners and owners else (), alike=None)


def _ttl_max(query: Query, six: Answered | Relayed) -> int:
    """How long the name has no IPv6 address, in seconds. Raises WireError."""
    if isinstance(six, Relayed):
        return soa_ttl(query, six.octets)
    return next((records.ttl for records in six.answer.authority if records.rtype == types.SOA), TTL_MAX)
