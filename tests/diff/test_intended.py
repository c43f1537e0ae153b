"""Rows of the table: what each explains, and that it explains nothing alike."""

import re
from pathlib import Path

import pytest

from kdns.config.table import DIRECTIVES
from kdns.diff import cluster, directives, others
from kdns.diff.intended import table
from kdns.diff.verdict import Tally, judge
from tests.diff.replies import pair

RECORDS = (Path(__file__).parents[2] / "docs" / "records.md").read_text()
SOA = "---\ncluster.local. 5 SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 2 3 4 5"
NS = "cluster.local. 5 NS ns.dns.cluster.local."
SERVER = "ns.dns.cluster.local. 5"
TABLE = table(("cluster.local",), used=("autopath", "cache"))

MEANT = (
    ("D2", "_tcp.a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("NOERROR aa", SOA)),
    ("D3", "x.b.svc.cluster.local. SOA", ("NOERROR aa", SOA), ("NXDOMAIN aa", SOA)),
    ("D4", "dns-version.cluster.local. A", ("NXDOMAIN aa", SOA), ("NOERROR aa", SOA)),
    (
        "D5",
        "x.b.svc.cluster.local. A",
        ("NOERROR aa", SOA),
        ("NXDOMAIN aa", "x.b.svc.cluster.local. 5 CNAME y.b.svc.cluster.local." + SOA),
    ),
    (
        "D12",
        "x.1-2-3-4.b.pod.cluster.local. A",
        ("NOERROR aa", "x.1-2-3-4.b.pod.cluster.local. 5 A 1.2.3.4"),
        ("NXDOMAIN aa", SOA),
    ),
    (
        "D15",
        "cluster.local. NS",
        ("NOERROR aa", f"{NS}\n------\n{SERVER} A 192.0.2.1\n{SERVER} AAAA fe80::1"),
        ("NOERROR aa", f"{NS}\n------\n{SERVER} A 192.0.2.1"),
    ),
    ("D16", "a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("NXDOMAIN aa ra", SOA)),
    ("D10", "www.example. A", ("NOERROR aa ra",), ("NOERROR ra",)),
    ("D23", "www.example. A", ("REFUSED",), ("SERVFAIL",)),
    (
        "D31",
        "www.example. A",
        ("NOERROR", "www.example. 5 A 192.0.2.1\n---\nexample. 5 NS ns.example."),
        ("NOERROR", "www.example. 5 A 192.0.2.1"),
    ),
    (
        "autopath",
        "www.example.b.example. A",
        ("NOERROR", "www.example.b.example. 60 CNAME www.example.\nwww.example. 60 A 192.0.2.1"),
        ("NOERROR", "www.example.b.example. 5 CNAME www.example.\nwww.example. 60 A 192.0.2.1"),
    ),
    (
        "autopath",
        "www.example.b.example. SRV",
        ("NOERROR",),
        ("NOERROR", "www.example.b.example. 5 CNAME www.example."),
    ),
    (
        "cache",
        "www.example. A",
        ("NOERROR", "www.example. 0 A 192.0.2.1"),
        ("NOERROR", "www.example. 30 A 192.0.2.1"),
    ),
)
# What looks alike, and is a mistake of one of them.
MISTAKES = (
    ("_tcp.a.b.svc.cluster.local. A", ("NOERROR aa", SOA), ("NXDOMAIN aa", SOA)),
    ("a.b.svc.cluster.local. A", ("NOERROR aa", "a.b.svc.cluster.local. 5 A 10.0.0.1"), ("NXDOMAIN aa", SOA)),
    ("a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("NOERROR aa", "a.b.svc.cluster.local. 5 A 10.0.0.1")),
    ("a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("NXDOMAIN", SOA)),
    ("a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("SERVFAIL aa",)),
    ("a.b.svc.cluster.local. A", ("NXDOMAIN aa", SOA), ("NOERROR aa",)),
    ("www.example. A", ("NOERROR", "www.example. 5 A 192.0.2.1"), ("NOERROR", "www.example. 5 A 192.0.2.2")),
    ("www.example. A", ("NOERROR", "www.example. 5 A 192.0.2.1"), ("NOERROR", "www.example. 9 A 192.0.2.1")),
    ("www.example. A", ("NOERROR", "www.example. 5 A 192.0.2.1"), ("NXDOMAIN",)),
    ("www.example. A", ("NXDOMAIN",), ("SERVFAIL",)),
    ("www.b.example. A", ("NXDOMAIN",), ("NOERROR", "www.b.example. 5 CNAME www.example.")),
    ("www.b.example. A", ("NOERROR",), ("NOERROR", "other.example. 5 CNAME www.example.")),
    (
        "www.b.example. A",
        ("NOERROR", "www.b.example. 60 CNAME www.example.\nwww.example. 60 A 192.0.2.1"),
        ("NOERROR", "www.b.example. 90 CNAME www.example.\nwww.example. 60 A 192.0.2.1"),
    ),
    (
        "cluster.local. NS",
        ("NOERROR aa", f"{NS}\n------\n{SERVER} A 192.0.2.1\n{SERVER} A 192.0.2.2"),
        ("NOERROR aa", f"{NS}\n------\n{SERVER} A 192.0.2.1"),
    ),
)


@pytest.mark.parametrize(("name", "asked", "theirs", "ours"), MEANT, ids=[row[0] for row in MEANT])
def test_a_difference_that_is_meant_has_its_row(
    name: str, asked: str, theirs: tuple[str, ...], ours: tuple[str, ...]
) -> None:
    verdict = judge(pair(asked, theirs, ours), TABLE)
    assert verdict.reasons == {name}
    assert not verdict.left


@pytest.mark.parametrize(("asked", "theirs", "ours"), MISTAKES)
def test_a_mistake_is_left(asked: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> None:
    assert judge(pair(asked, theirs, ours), TABLE).left


@pytest.mark.parametrize("row", [*cluster.ROWS, *others.ROWS], ids=lambda row: row.name)
def test_every_row_is_told_in_the_documents(row: object) -> None:
    name = getattr(row, "name", "")
    assert name == "serial" or re.search(rf"^\| {name} \|", RECORDS, re.MULTILINE)


def test_rows_of_directives_are_named_for_them_and_for_those_in_use() -> None:
    pages = {each.name for each in DIRECTIVES if getattr(each, "differs", ())}
    assert {row.name for row in directives.ROWS} <= pages | {"whoami"}
    assert {row.name for row in table(used=("acl",))} & {row.name for row in directives.ROWS} == {"acl"}


def test_a_tally_counts_what_is_equal_meant_and_left() -> None:
    tally = Tally()
    same = ("NXDOMAIN aa", SOA)
    tally.add(
        judge(pair("a.b.svc.cluster.local. A", same, each), TABLE)
        for each in (same, ("NXDOMAIN aa ra", SOA), ("SERVFAIL",))
    )
    assert (tally.asked, tally.equal, tally.same_records, tally.differ_as_meant) == (3, 1, 2, 1)
    assert tally.intended == {"D16": 1}
    assert [each.pair.ours.rcode for each in tally.left] == [2]
