"""What is told of a survey, in text and as an object."""

from kdns.diff.report import as_text, described
from kdns.diff.verdict import Intended, Tally, judge
from tests.diff.replies import pair

TABLE = (
    Intended("D16", "recursion is available", lambda _, difference: difference.where == "ra"),
    Intended("cache", "one", lambda *_: False),
    Intended("cache", "another", lambda _, difference: difference.where == "answer ttl"),
)
RECORD = "web.shop.svc.cluster.local. {} A 10.0.0.{}"


def tally() -> Tally:
    found = Tally()
    asked = "web.shop.svc.cluster.local. A"
    pairs = [
        pair(asked, ("NOERROR aa", RECORD.format(5, 1)), ("NOERROR aa", RECORD.format(5, 1))),
        pair(asked, ("NOERROR aa", RECORD.format(5, 1)), ("NOERROR aa ra", RECORD.format(4, 1))),
        pair(asked, ("NOERROR aa", RECORD.format(5, 1)), ("NXDOMAIN aa ra", f"---{RECORD.format(9, 9)}")),
    ]
    found.add(judge(each, TABLE) for each in pairs)
    return found


def test_text_shows_what_is_left_then_counts() -> None:
    assert (
        as_text(tally(), TABLE, "10.96.0.10:53", "127.0.0.1:53")
        == """\
web.shop.svc.cluster.local. IN A udp
  differs in rcode: NOERROR | NXDOMAIN
  differs in answer: web.shop.svc.cluster.local. IN A 10.0.0.1 | -
  differs in authority: - | web.shop.svc.cluster.local. IN A 10.0.0.9
  as intended: D16
  10.96.0.10:53  NOERROR aa
                 web.shop.svc.cluster.local. 5 IN A 10.0.0.1
  127.0.0.1:53   NXDOMAIN aa
                 authority: web.shop.svc.cluster.local. 9 IN A 10.0.0.9

Differ as intended:
  D16         1  recursion is available
  cache       1  one; another

3 questions to 10.96.0.10:53 and 127.0.0.1:53: 1 answered the same in everything,
1 otherwise as intended, 1 otherwise without a reason.
Rcode, records and TTLs are the same for 1 of them.
"""
    )


def test_programs_have_the_same() -> None:
    told = described(tally(), TABLE, "10.96.0.10:53", "127.0.0.1:53")
    assert {
        name: told[name] for name in ("theirs", "ours", "asked", "equal", "same_records", "intended", "different")
    } == {
        "theirs": "10.96.0.10:53",
        "ours": "127.0.0.1:53",
        "asked": 3,
        "equal": 1,
        "same_records": 1,
        "intended": 1,
        "different": 1,
    }
    assert told["reasons"]["cache"] == {"count": 1, "reason": "one; another"}
    (difference,) = told["differences"]
    assert difference["differences"][0] == {"where": "rcode", "theirs": "NOERROR", "ours": "NXDOMAIN"}
    assert difference["intended"] == ["D16"]
