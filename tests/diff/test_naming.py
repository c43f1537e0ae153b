"""Which questions a cluster's records, and replies, lead to."""

import pytest

from kdns.diff.naming import questions, told_of
from kdns.diff.question import Question
from kdns.dns import types
from kdns.dns.names import from_text, to_text
from kdns.dns.presentation import record
from tests.diff.replies import reply

ZONE = from_text("cluster.local")


def shown(asked: Question) -> str:
    return f"{to_text(asked.name)} {types.type_text(asked.qtype)}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "web.shop.svc.cluster.local. 5 IN A 10.0.0.1",
            ["web.shop.svc.cluster.local. A", "web.shop.svc.cluster.local. AAAA", "1.0.0.10.in-addr.arpa. PTR"],
        ),
        (
            "db-0.db.shop.svc.cluster.local. 5 IN A 10.1.0.1",
            [
                "db-0.db.shop.svc.cluster.local. A",
                "db-0.db.shop.svc.cluster.local. AAAA",
                "1.0.1.10.in-addr.arpa. PTR",
                "10-1-0-1.shop.pod.cluster.local. A",
            ],
        ),
        (
            "db-0.db.shop.svc.cluster.local. 5 IN AAAA fd00::1",
            [
                "db-0.db.shop.svc.cluster.local. AAAA",
                "db-0.db.shop.svc.cluster.local. A",
                f"1.{'0.' * 29}d.f.ip6.arpa. PTR",
                "fd00--1.shop.pod.cluster.local. AAAA",
            ],
        ),
        (
            "away.shop.svc.cluster.local. 5 IN CNAME www.example.com.",
            [f"away.shop.svc.cluster.local. {rtype}" for rtype in ("CNAME", "A", "AAAA")],
        ),
        (
            "_http._tcp.web.shop.svc.cluster.local. 5 IN SRV 0 50 80 web.shop.svc.cluster.local.",
            ["_http._tcp.web.shop.svc.cluster.local. SRV"],
        ),
    ],
)
def test_a_record_leads_to_its_name_and_those_of_its_addresses(line: str, expected: list[str]) -> None:
    assert [shown(each) for each in questions([record(line)], ZONE)] == expected


def test_names_of_the_zone_that_answers_lead_to_are_asked_for() -> None:
    srv = reply(
        "_http._tcp.web.shop.svc.cluster.local. SRV",
        "NOERROR aa",
        """\
_http._tcp.web.shop.svc.cluster.local. 5 SRV 0 50 80 Pod-0.web.shop.svc.cluster.local.
_http._tcp.web.shop.svc.cluster.local. 5 SRV 0 50 80 www.example.com.
""",
    )
    assert [shown(each) for each in told_of([srv], [ZONE])] == [
        "Pod-0.web.shop.svc.cluster.local. A",
        "Pod-0.web.shop.svc.cluster.local. AAAA",
    ]
