"""The differences that a directive's page tells under Known differences, as far as a reply shows them.

Each has the name of its directive, and counts only where that is in use.
"""

from typing import Final

from kdns.diff.difference import Difference
from kdns.diff.verdict import Pair, Row
from kdns.dns import types
from kdns.dns.names import fold

_EDE: Final = f"option {types.OPTION_EDE}"
_STALE: Final = {"0003", "0013"}  # Stale Answer, Stale NXDOMAIN Answer
_STALE_TTL: Final = 30
_SHORTEST: Final = 5  # seconds for which CoreDNS keeps anything


def _acl(_: Pair, difference: Difference) -> bool:
    """EDNS in replies to clients that don't speak it, with DO."""
    return difference in {("edns", "spoken", ""), ("do", "True", "False")}


def _autopath(pair: Pair, difference: Difference) -> bool:
    """The CNAME from the name asked for: of a name without data, too, and with a TTL that may be shorter; the case of domains.

    Who asks for a CNAME gets this one, and not that of the name found.
    """
    if difference.where.endswith(" case") or (difference.where == "question" and _same_but_case(difference)):
        return pair.question.name != pair.question.name.lower()
    first = next(iter(pair.ours.answer), None)
    if first is None or first.rtype != types.CNAME or fold(first.name) != fold(pair.question.name):
        return False
    theirs, ours = _ttls(difference)
    if theirs >= 0:
        return difference.where == "answer ttl" and ours == first.ttl < theirs and " IN CNAME " in difference.ours
    if pair.question.qtype == types.CNAME and len(pair.ours.answer) == 1 and not difference.ours:
        return difference.where == "answer" and " IN CNAME " in difference.theirs
    nodata = not pair.theirs.answer and len(pair.ours.answer) == 1 and pair.rcodes == (types.NOERROR, types.NOERROR)
    return nodata and difference.where == "answer"


def _same_but_case(difference: Difference) -> bool:
    return difference.theirs.lower() == difference.ours.lower()


def _stale(_: Pair, difference: Difference) -> bool:
    """What is past its time, which CoreDNS gives with a TTL of 0 (or 1, by rounding), and that it says so."""
    if difference.where == _EDE:
        return not difference.theirs and difference.ours[:4] in _STALE
    theirs, ours = _ttls(difference)
    return theirs in {0, 1} and ours == _STALE_TTL


def _denial_behind_alias(pair: Pair, difference: Difference) -> bool:
    """A denial that CNAMEs lead to, which CoreDNS keeps for 5 s, and not past its time."""
    if pair.ours.rcode != types.NXDOMAIN or not pair.ours.answer:
        return False
    if pair.theirs.rcode == types.SERVFAIL:
        return difference.where in {"rcode", "answer", "authority"}
    theirs, ours = _ttls(difference)
    return 0 <= theirs <= _SHORTEST < ours


def _not_kept(pair: Pair, difference: Difference) -> bool:
    """A referral, and a TTL of 0: CoreDNS keeps them for 5 s."""
    theirs, ours = _ttls(difference)
    if theirs < 0 or theirs > _SHORTEST:
        return False
    referral = not pair.ours.answer and not any(each.rtype == types.SOA for each in pair.ours.authority)
    return ours == 0 or (referral and theirs < ours)


def _kept(pair: Pair, difference: Difference) -> bool:
    """What CoreDNS keeps of its own answers: for a shorter time, and in the case of who asked before."""
    theirs, ours = _ttls(difference)
    return difference.where.endswith(" case") or (bool(pair.ours.flags & types.AA) and 0 <= theirs < ours)


def _ttls(difference: Difference) -> tuple[int, int]:
    """The TTLs that differ; -1 each where it isn't they."""
    if not difference.where.endswith(" ttl"):
        return -1, -1
    theirs, ours = (int(text.split()[0]) for text in difference[1:])
    return theirs, ours


def _chaos(pair: Pair, difference: Difference) -> bool:
    return (
        pair.question.qclass == types.CH
        and pair.ours.rcode == types.REFUSED
        and difference.where in {"rcode", "answer"}
    )


def _dns64(pair: Pair, difference: Difference) -> bool:
    """A name without IPv4 addresses keeps its own answer."""
    denied = pair.question.qtype == types.AAAA and not any(each.rtype == types.AAAA for each in pair.ours.answer)
    return (
        denied and pair.theirs.rcode == types.NOERROR and difference.where in {"rcode", "authority", "authority case"}
    )


def _file(pair: Pair, difference: Difference) -> bool:
    """The TTL of a denial's SOA, and ANY."""
    if difference.where == "authority ttl":
        return " IN SOA " in difference.ours and int(difference.ours.split()[0]) < int(difference.theirs.split()[0])
    return pair.question.qtype == types.ANY and bool(pair.ours.answer) and difference.where in {"answer", "authority"}


def _kubernetes(pair: Pair, difference: Difference) -> bool:
    """The reverse name of a Service that namespace_labels or ignore empty_service leave out."""
    denied = pair.rcodes == (types.NOERROR, types.NXDOMAIN) and not pair.ours.answer
    left_out = denied and {each.rtype for each in pair.theirs.answer} == {types.PTR}
    return left_out and difference.where in {"rcode", "aa", "answer", "authority"}


def _local(pair: Pair, difference: Difference) -> bool:
    """NODATA of a name above 1.0.0.127.in-addr.arpa."""
    return pair.rcodes == (types.NXDOMAIN, types.NOERROR) and difference.where == "rcode" and not pair.ours.answer


def _minimal(pair: Pair, difference: Difference) -> bool:
    return pair.question.do and difference.where == "authority" and not difference.theirs


def _rewrite(pair: Pair, difference: Difference) -> bool:
    """A CNAME whose target fits in whatever case."""
    upper = pair.question.name != pair.question.name.lower()
    return upper and difference.where == "answer"


def _whoami(pair: Pair, difference: Difference) -> bool:
    """The ports, which are the client's and its own for each server."""
    theirs, ours = ([each.data[:4] + each.data[6:] for each in reply.additional] for reply in pair[1:])
    return difference.where == "additional" and " IN SRV " in "".join(difference[1:]) and theirs == ours


ROWS: Final = (
    Row("acl", "others", "a client that doesn't speak EDNS gets none", _acl),
    Row("autopath", "any", "who is led to a name is told so, for no longer than that may last", _autopath),
    Row("cache", "others", "what is past its time has a TTL, and says so (RFC 8767)", _stale),
    Row("cache", "others", "a denial behind aliases is kept as its SOA says (RFC 2308)", _denial_behind_alias),
    Row("cache", "others", "what says nothing, or has a TTL of 0, isn't kept", _not_kept),
    Row("cache", "any", "only what upstreams say is kept, and in the case of each question", _kept),
    Row("chaos", "any", "no other question of the class CH is answered", _chaos),
    Row("dns64", "others", "a name without IPv4 addresses keeps its own answer", _dns64),
    Row("file", "others", "a denial is kept for as long as the SOA says (RFC 2308), ANY is a set (RFC 8482)", _file),
    Row("kubernetes", "reverse", "what is left out has no reverse name either", _kubernetes),
    Row("local", "others", "a name above one that exists is there (RFC 8020)", _local),
    Row("minimal", "others", "clients that ask for proofs get them", _minimal),
    Row("rewrite", "others", "names in answers fit in any case", _rewrite),
    Row("whoami", "others", "each server is asked from another port", _whoami),
)
