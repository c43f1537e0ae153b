"""Where an answer of our own leads out by a CNAME: it goes on with what the chain says of the target.

The CNAMEs stay whatever comes of it; the rcode is the target's (RFC 6604 section 3). How octets of an upstream continue an
answer is dns.message's.
"""

from kdns.dns import types
from kdns.dns.foreign import ForeignError
from kdns.dns.query import Query
from kdns.dns.records import Answer, ExtendedError
from kdns.steps.chain import Answered, Failed, Outcome, Relayed
from kdns.zone.entry import Owner


def continued(query: Query, prefix: Answer, outcome: Outcome, by: str, owners: tuple[Owner, ...] = ()) -> Outcome:
    """The CNAMEs of prefix with what came of asking for their target; query is the question they answer.

    It may be remembered under owners, which are those of prefix, and the target's together, if both name some.
    """
    if isinstance(outcome, Relayed):
        return Answered(_spliced(query, prefix, outcome.octets), by=by)
    if isinstance(outcome, Answered):
        target = outcome.answer
        answer = target._replace(
            answers=prefix.answers + target.answers,
            authoritative=prefix.authoritative,
            error=target.error or prefix.error,
        )
        together = owners + outcome.owners if owners and outcome.owners and outcome.until is None else ()
        return Answered(answer, together, by)
    if isinstance(outcome, Failed) and outcome.cause is None:
        return Answered(prefix._replace(rcode=outcome.rcode, error=outcome.error), by=by)
    return outcome


def _spliced(query: Query, prefix: Answer, octets: bytes) -> Answer:
    # Imported by the first chase: it brings in dnslib, which nothing else in a worker needs.
    from kdns.dns import message  # noqa: PLC0415

    try:
        return message.splice(query, prefix, octets)
    except ForeignError as error:
        text = f"the reply for the target can't be used: {error}"
        return prefix._replace(rcode=types.SERVFAIL, error=ExtendedError(types.EDE_OTHER, text))
