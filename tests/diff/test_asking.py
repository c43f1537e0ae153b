"""Questions put to a real server, one that says nothing to some, too."""

from kdns.diff.asking import ask
from kdns.diff.difference import SILENCE
from kdns.dns import types
from tests.diff.replies import question
from tests.integration.abroad import Abroad


def test_replies_come_in_the_order_of_the_questions() -> None:
    names = ["www.example.com. A", "nowhere.example.com. A", "silent.sins.example. A", "many.example.com. A"]
    questions = [question(name, tcp=tcp, payload=4096, do=True) for tcp in (False, True) for name in names]
    with Abroad() as server:
        host, _, port = server.address.rpartition(":")
        replies = ask((host, int(port)), questions, timeout_s=0.5)
        asked = [name for transport, name, _ in server.asked if transport == "udp"]
    assert [each == SILENCE for each in replies] == [False, False, True, False, False, False, True, True]
    assert [len(each.answer) for each in replies] == [2, 0, 0, 0, 2, 0, 0, 0]
    assert (replies[1].rcode, replies[3].flags & types.TC) == (types.NXDOMAIN, types.TC)
    assert asked.count("silent.sins.example.") == 2  # once more before it counts as silent
