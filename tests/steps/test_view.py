"""view: which questions a block takes, and what tells its clients apart."""

import pytest

from kdns.config.directives.view import Metadata, View
from kdns.config.expressions import Expression
from kdns.dns import types
from kdns.dns.names import ROOT, from_text
from kdns.dns.query import Query
from kdns.steps.chain import Peer
from kdns.steps.metadata import labels_of
from kdns.steps.view import Conditions, Place


def view(*texts: str) -> View:
    return View(name="inner", conditions=tuple(map(Expression, texts)))


QUERY = Query(from_text("WWW.Example.org"), types.AAAA, id=7, edns=True, payload=1232, do=True)
CLIENT = Peer("10.1.2.3", 4000)
PLACE = Place("udp", "192.0.2.53", 53)
FACTS = [
    ("bufsize() == 1232", "tcp: bufsize() == 65535"),
    ("class() == 'IN'",),
    ("client_ip() == '10.1.2.3'",),
    ("do()",),
    ("id() == 7",),
    ("name() == 'www.example.org.'",),
    ("opcode() == 0",),
    ("port() == '4000'",),
    ("proto() == 'udp'", "tcp: proto() == 'tcp'"),
    ("server_ip() == '192.0.2.53'",),
    ("server_port() == '53'",),
    ("size() == 44",),
    ("type() == 'AAAA'",),
]


@pytest.mark.parametrize("text", [text for texts in FACTS for text in texts])
def test_a_condition_sees_the_question(text: str) -> None:
    place = PLACE._replace(transport="tcp") if text.startswith("tcp: ") else PLACE
    assert Conditions(view(text.removeprefix("tcp: ")), place).take(QUERY, CLIENT)


def test_all_conditions_have_to_hold_and_without_any_all_questions_are_taken() -> None:
    assert Conditions(view(), PLACE).take(QUERY, CLIENT)
    assert not Conditions(view("true", "type() == 'A'"), PLACE).take(QUERY, CLIENT)


def test_conditions_read_the_labels_of_their_block() -> None:
    settings = view("metadata('view/name') == 'inner' && metadata('none') == ''")
    assert Conditions(settings, PLACE, labels_of((Metadata(zones=(ROOT,)), settings))).take(QUERY, CLIENT)
    assert not Conditions(settings, PLACE, labels_of((settings,))).take(QUERY, CLIENT)


def test_nothing_is_remembered_where_the_id_or_the_port_decides() -> None:
    assert Conditions(view("client_ip() == '::1' && size() > 20"), PLACE).remembers
    assert not Conditions(view("true", "id() % 2 == 0"), PLACE).remembers
    assert not Conditions(view("port() == '53'"), PLACE).remembers


def test_kinds_of_clients_are_what_conditions_make_of_addresses() -> None:
    conditions = Conditions(view("incidr(client_ip(), '10.0.0.0/8')", "type() == 'A'"), PLACE)
    assert conditions.kind("10.0.0.1") == conditions.kind("10.9.9.9") == ((True,), ())
    assert conditions.kind("192.0.2.1") == ((False,), ())
