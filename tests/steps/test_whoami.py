"""whoami: a table of clients and what they are told."""

import pytest

from kdns.dns.names import from_labels
from kdns.dns.query import Query
from kdns.steps.chain import Answered, Peer, Request
from tests.steps.telling import never, passed, query, step, told

TABLE = (
    ("10.0.0.7", 4242, "udp", "A 10.0.0.7; ar _udp.www.example. 0 SRV 0 0 4242 ."),
    ("10.0.0.7", 65535, "tcp", "A 10.0.0.7; ar _tcp.www.example. 0 SRV 0 0 65535 ."),
    ("2001:db8::7", 53, "udp", "AAAA 2001:db8::7; ar _udp.www.example. 0 SRV 0 0 53 ."),
    ("fe80::7%eth0", 53, "udp", "AAAA fe80::7; ar _udp.www.example. 0 SRV 0 0 53 ."),
    ("::ffff:10.0.0.7", 53, "udp", "A 10.0.0.7; ar _udp.www.example. 0 SRV 0 0 53 ."),
)


@pytest.mark.parametrize("question", ["www.example. A", "www.example. AAAA", "www.example. TXT"])
@pytest.mark.parametrize(("host", "port", "transport", "said"), TABLE)
def test_a_client_is_told_its_address_port_and_transport_whatever_it_asks(
    question: str, host: str, port: int, transport: str, said: str
) -> None:
    given = query(question)
    outcome = step("whoami").ask(Request(given, Peer(host, port), transport), passed, never)
    assert told(outcome, given) == f"NOERROR aa; ar www.example. 0 {said}"


def test_nobody_gets_what_another_was_told() -> None:
    outcome = step("whoami").ask(Request(query(". A"), Peer("10.0.0.7", 1), "udp"), passed, never)
    assert isinstance(outcome, Answered)
    assert outcome.owners == ()


def test_a_name_too_long_for_another_label_has_no_service() -> None:
    given = Query(from_labels([b"x" * 63] * 3 + [b"x" * 59]), 1)
    outcome = step("whoami").ask(Request(given, Peer("10.0.0.7", 1), "udp"), passed, never)
    assert [records.rtype for records in outcome.answer.additional] == [1]
