"""The differences about any server's replies, and about names that are forwarded: rows of the list in docs/records.md."""

from typing import Final

from kdns.diff.difference import Difference
from kdns.diff.verdict import Pair, Row
from kdns.dns import types
from kdns.dns.names import fold, from_text, is_below, to_text

_PAYLOAD: Final = 1232
_EDE: Final = f"option {types.OPTION_EDE}"
_SPECIAL: Final = tuple(
    map(
        from_text,
        (
            *("localhost", "invalid", "onion", "resolver.arpa", "2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa"),
            *("113.0.203.in-addr.arpa", "0.in-addr.arpa", "127.in-addr.arpa", "254.169.in-addr.arpa"),
        ),
    )
)


def _special(pair: Pair, difference: Difference) -> bool:
    """What is said of special-use names, asked for or led to."""
    if any(is_below(fold(pair.question.name), zone) for zone in _SPECIAL):
        return difference.where in {"rcode", "aa", "answer", "authority"}
    return difference.where == "answer" and difference.ours.startswith("localhost. IN A") and not difference.theirs


def _no_authority(_: Pair, difference: Difference) -> bool:
    return difference == ("aa", "set", "clear")


def _recursion(_: Pair, difference: Difference) -> bool:
    return difference == ("ra", "clear", "set")


def _payload(pair: Pair, difference: Difference) -> bool:
    """The size that is told, and a reply that is cut because of it."""
    if difference.where == "payload":
        return int(difference.theirs) <= pair.question.payload and difference.ours == str(_PAYLOAD)
    return not pair.question.tcp and pair.question.payload > _PAYLOAD and difference == ("tc", "clear", "set")


def _cut(pair: Pair, difference: Difference) -> bool:
    """The records of replies of which one at least is cut."""
    if pair.question.tcp or not pair.ours.flags & types.TC:
        return False
    if not pair.theirs.flags & types.TC and pair.question.payload <= _PAYLOAD:
        return False
    return difference.where in {"answer", "additional", "authority", "answer order"}


def _refused(pair: Pair, difference: Difference) -> bool:
    """An upstream's REFUSED, where there is no other upstream."""
    return pair.rcodes == (types.REFUSED, types.SERVFAIL) and difference.where == "rcode"


def _not_the_answer(pair: Pair, difference: Difference) -> bool:
    """What isn't the reply to the question, or isn't whole, and is waited past here."""
    if pair.ours.rcode != types.SERVFAIL or pair.theirs.answer:
        return False
    formerr = difference == ("rcode", "FORMERR", "SERVFAIL")
    return formerr or (bool(pair.theirs.flags & types.TC) and difference.where in {"rcode", "tc", "authority"})


def _reason(pair: Pair, difference: Difference) -> bool:
    """An extended error that only kdns gives, with a failure."""
    return difference.where == _EDE and not difference.theirs and pair.ours.rcode != types.NOERROR


def _case(_: Pair, difference: Difference) -> bool:
    return difference.where.endswith(" case")


def _beside(pair: Pair, difference: Difference) -> bool:
    """Records beside an upstream's answer: kdns leaves them out."""
    if not pair.ours.answer or pair.ours.flags & types.AA or difference.ours:
        return False
    if difference.where == "answer":
        named = {to_text(fold(each.name)) for each in pair.ours.answer}
        return difference.theirs.split()[0].lower() not in named
    return difference.where in {"authority", "additional"}


def _behind_alias(pair: Pair, difference: Difference) -> bool:
    """The authority section of an answer that CNAMEs lead to."""
    return difference.where == "authority" and any(each.rtype == types.CNAME for each in pair.ours.answer)


def _delegation(pair: Pair, difference: Difference) -> bool:
    """DS of a server block's zone, which the block for all names above it has."""
    denied = pair.question.qtype == types.DS and pair.theirs.rcode in {types.SERVFAIL, types.REFUSED}
    return denied and difference.where in {"rcode", "authority", "aa"}


# The first that explains a difference counts.
ROWS: Final = (
    Row("D20", "any", "special-use names are answered here (RFC 6761, 6303)", _special),
    Row("D10", "others", "no authority over the names of others", _no_authority),
    Row("D11", "any", "at most 1232 octets by UDP (RFC 9715)", _payload),
    Row("D16", "any", "recursion is available", _recursion),
    Row("D21", "any", "of a set that is cut another part is sent", _cut),
    Row("D23", "others", "one upstream's REFUSED isn't the answer", _refused),
    Row("D24", "others", "what isn't the whole reply to the question is ignored", _not_the_answer),
    Row("D31", "others", "only what answers the question is passed on", _beside),
    Row("D38", "others", "a failure says why (RFC 8914)", _reason),
    Row("D39", "others", "names come back in the case in which they were asked for", _case),
    Row("D40", "others", "behind an alias the authority is that of its target (RFC 2308)", _behind_alias),
    Row("D41", "others", "a delegation is asked of what is above it (RFC 4035)", _delegation),
)
