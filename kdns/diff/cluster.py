"""The differences about names of the cluster: one row for each of the list in docs/records.md that a reply shows."""

from ipaddress import ip_address
from typing import Final

from kdns.diff.difference import SILENCE, Difference
from kdns.diff.question import Question
from kdns.diff.verdict import Pair, Row
from kdns.dns import types
from kdns.dns.lines import data_text
from kdns.dns.message import Line, Message
from kdns.dns.names import Name, fold, from_text, labels_of

_PROTOCOLS: Final = frozenset((b"tcp", b"udp", b"sctp"))
_PAYLOAD: Final = 1232
_PLAIN: Final = 512
_EXTRA: Final = 255 + 10 + 16  # octets of an address record at the most; the owner's name may be no pointer
_DENIALS: Final = (types.NOERROR, types.NXDOMAIN)
_EDE: Final = f"option {types.OPTION_EDE}"
_MNAME: Final = b"\2ns\3dns"
_ADDRESSES: Final = (types.A, types.AAAA)


def _inner_nodata(pair: Pair, difference: Difference) -> bool:
    """NODATA at a name that only has names below it."""
    return _inner(pair) and _nodata(pair, difference)


def _other_nodata(pair: Pair, difference: Difference) -> bool:
    """NODATA at a name that has records of another type."""
    return not _inner(pair) and _nodata(pair, difference)


def _nodata(pair: Pair, difference: Difference) -> bool:
    """An NXDOMAIN, of the server itself or of who was asked because of it, that is NODATA here."""
    if pair.rcodes != (types.NXDOMAIN, types.NOERROR) or pair.ours.answer or not _denied_here(pair.ours):
        return False
    return difference.where in {"rcode", "aa", "authority", "authority case"} and not pair.theirs.answer


def _denied_here(ours: Message) -> bool:
    """Whether a reply of our own denies: AA, and nothing but an SOA."""
    return bool(ours.flags & types.AA) and [each.rtype for each in ours.authority] == [types.SOA]


def _inner(pair: Pair) -> bool:
    """Whether a name is one that only has names below it: _tcp.S.N.svc.Z and dns.Z."""
    labels = list(labels_of(fold(pair.question.name)))
    return labels[0].removeprefix(b"_") in _PROTOCOLS or (labels[0] == b"dns" and b"svc" not in labels)


def _soa_nowhere(pair: Pair, difference: Difference) -> bool:
    """NODATA for SOA, of a name that isn't there."""
    if pair.question.qtype != types.SOA or pair.rcodes != _DENIALS:
        return False
    return not (pair.theirs.answer or pair.ours.answer) and difference.where in {"rcode", "aa", "authority"}


def _no_authority(_: Pair, difference: Difference) -> bool:
    """AA of a name that fell through, from the cache."""
    return difference == ("aa", "set", "clear")


def _mname(pair: Pair, difference: Difference) -> bool:
    """The SOA or NS of a reverse zone, which names another server, and that one's addresses."""
    if difference.where == "additional":
        return pair.question.qtype == types.NS and difference.ours.startswith("ns.dns.")
    lines = [text for text in difference[1:] if text]
    return difference.where in {"answer", "authority"} and all(
        " IN SOA " in text or " IN NS " in text for text in lines
    )


def _name_server(pair: Pair, difference: Difference) -> bool:
    """NS at the apex and the name server's addresses, where there is nothing in CoreDNS."""
    if pair.theirs.answer or not pair.ours.answer:
        return False
    sets = {each.rtype for each in pair.ours.answer}
    of_server = sets <= {types.NS} or (sets <= {*_ADDRESSES} and fold(pair.question.name).startswith(_MNAME))
    return (
        of_server
        and difference.where in {"rcode", "answer", "additional", "authority"}
        and (difference.theirs == "" or " IN SOA " in difference.theirs or difference.where == "rcode")
    )


def _link_local(_: Pair, difference: Difference) -> bool:
    """A link-local address of the name server's, which is another host's wherever else it is used."""
    if difference.ours or difference.where not in {"answer", "additional"}:
        return False
    owner, _class, rtype, data = difference.theirs.split(" ", 3)
    return owner.startswith("ns.dns.") and rtype in {"A", "AAAA"} and ip_address(data).is_link_local


def _alias(pair: Pair, difference: Difference) -> bool:
    """An ExternalName whose target denies, fails or has no such record."""
    if not _begins_with_cname(pair.ours) or _ends_in_data(pair.ours, pair.question.qtype):
        return False
    if pair.theirs.rcode != types.NOERROR or _ends_in_data(pair.theirs, pair.question.qtype):
        return False
    words = {"rcode", "authority", "authority case", _EDE, "aa"} | (set() if pair.theirs.answer else {"answer"})
    return difference.where in words


def _alias_of_all(pair: Pair, difference: Difference) -> bool:
    """An ExternalName asked for another type than addresses, whose target has such records."""
    if pair.question.qtype in {*_ADDRESSES, types.CNAME} or not _begins_with_cname(pair.ours):
        return False
    denied = pair.theirs.rcode == types.NOERROR and not pair.theirs.answer
    return denied and difference.where in {"answer", "authority", "additional", "aa"}


def _circle(pair: Pair, difference: Difference) -> bool:
    """ExternalNames that lead to each other."""
    if pair.rcodes != (types.NOERROR, types.SERVFAIL) or not _begins_with_cname(pair.ours):
        return False
    return not pair.theirs.answer and difference.where in {"rcode", "answer", "authority", _EDE}


def _below_pod(pair: Pair, difference: Difference) -> bool:
    """A label before a pod's name."""
    labels = list(labels_of(fold(pair.question.name)))
    if b"pod" not in labels or labels.index(b"pod") < 3 or pair.rcodes != _DENIALS:
        return False
    return difference.where in {"rcode", "answer", "authority", "additional", "aa"}


def _pod(pair: Pair, difference: Difference) -> bool:
    """A pod by another of its addresses, or spelled in another way; and the weight of one that shares its address."""
    if list(labels_of(fold(pair.question.name)))[2:3] != [b"pod"]:
        return False
    if pair.rcodes == (types.NXDOMAIN, types.NOERROR):
        return bool(pair.ours.answer) and difference.where in {"rcode", "answer", "authority", "additional"}
    weights = [[each.data[2:4] for each in reply.answer] for reply in pair[1:]]
    return pair.question.qtype == types.SRV and difference.where == "answer" and weights[1] == [b"\0d"] != weights[0]


def _fqdn_slice(pair: Pair, difference: Difference) -> bool:
    """A CNAME made of a slice of type FQDN, where kdns has none."""
    if any(each.rtype == types.CNAME for each in pair.ours.answer):
        return False
    cname = next((each for each in pair.theirs.answer if each.rtype == types.CNAME), None)
    if cname is None:
        return False
    return difference.where in {"rcode", "authority"} or _concerns(difference, "CNAME") or _led_to(difference, cname)


def _led_to(difference: Difference, cname: Line) -> bool:
    return difference.where == "answer" and difference.theirs.startswith(data_text(cname.rtype, cname.data) + " ")


def _concerns(difference: Difference, rtype: str) -> bool:
    return difference.where == "answer" and f" IN {rtype} " in difference.theirs and not difference.ours


def _extras(pair: Pair, difference: Difference) -> bool:
    """Addresses beside SRV records, and the TC that CoreDNS sets when they have no room."""
    if pair.question.qtype != types.SRV or pair.theirs.rcode or pair.ours.rcode:
        return False
    if difference == ("tc", "set", "clear"):
        return not pair.question.tcp
    if difference.where != "additional":
        return False
    if difference.theirs and not _is_full(pair.question, pair.ours):
        return False
    return _is_of_target(pair, difference.theirs or difference.ours)


def _is_full(question: Question, reply: Message) -> bool:
    """Whether a reply by UDP may have had no room for another address record."""
    limit = min(max(question.payload, _PLAIN), _PAYLOAD)
    return not question.tcp and limit - _EXTRA < reply.size


def _is_of_target(pair: Pair, text: str) -> bool:
    """Whether an additional record is an address of what one of the SRV records names."""
    targets = {fold(Name(each.data[6:])) for reply in pair[1:] for each in reply.answer if each.rtype == types.SRV}
    owner, _, rtype, _ = text.split(" ", 3)
    return fold(from_text(owner)) in targets and rtype in {"A", "AAAA"}


def _begins_with_cname(reply: Message) -> bool:
    return bool(reply.answer) and reply.answer[0].rtype == types.CNAME


def _ends_in_data(reply: Message, qtype: int) -> bool:
    return any(each.rtype == qtype for each in reply.answer)


# Name of the row, the names it is about, the reason, and what it explains. The first that does counts.


def _no_reply(pair: Pair, difference: Difference) -> bool:
    return difference.where == "reply" and pair.theirs == SILENCE


def _serial(pair: Pair, difference: Difference) -> bool:
    """The serial of the cluster's SOA, whatever name led to it."""
    soas = [each for each in (*pair.ours.answer, *pair.ours.authority) if each.rtype == types.SOA]
    return difference.where.endswith(" serial") and all(fold(Name(each.data)).startswith(_MNAME) for each in soas)


# The first that explains a difference counts.
ROWS: Final = (
    Row("D2", "cluster", "a name with names below it is there (RFC 8020)", _inner_nodata),
    Row("D4", "own", "a name is there for all types or for none", _other_nodata),
    Row("D3", "own", "a name is there for all types or for none", _soa_nowhere),
    Row("D15", "reverse", "the name servers of reverse zones are those of the cluster's", _mname),
    Row("D15", "cluster", "the addresses listened on are the name server's", _name_server),
    Row("D15", "own", "no link-local address is the name server's", _link_local),
    Row("D5", "cluster", "an alias keeps its CNAME, and has the rcode of its target (RFC 6604)", _alias),
    Row("D42", "cluster", "an alias stands for every type (RFC 1034)", _alias_of_all),
    Row("D6", "cluster", "aliases without an end are a failure", _circle),
    Row("D7", "cluster", "a pod has all its addresses, however they are spelled", _pod),
    Row("D12", "cluster", "nothing is below a pod's name", _below_pod),
    Row("D10", "reverse", "no authority over the names of others", _no_authority),
    Row("D13", "reverse", "every question has a reply", _no_reply),
    Row("D14", "cluster", "a CNAME stands alone (RFC 2181)", _fqdn_slice),
    Row("D37", "cluster", "the addresses of an SRV record's target, as far as there is room", _extras),
    Row("serial", "any", "each server counts the changes that it has seen", _serial),
)
