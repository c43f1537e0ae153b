"""The sets of questions: what they ask, and how often."""

import random
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from bench.cluster import Contents, Service
from bench.questions import SETS, QuestionSet, hot, mix, nxflood, write, zone_file

PORTS = (("http", "tcp", 80),)
CONTENTS = Contents(
    services=tuple(
        Service(f"ns-{number % 3}", f"svc-{number}", None if number % 10 == 9 else f"10.96.0.{number}", PORTS)
        for number in range(30)
    ),
    endpoints={("ns-0", "svc-9"): ("10.0.0.1", "10.0.0.2")},
)


def kind(question: str) -> str:
    name, qtype = question.split()
    if qtype == "SRV":
        return "SRV"
    if "example.com" in name:
        return "external"
    return "service" if name.count(".") == 4 else "other namespace"


def test_the_mix_has_its_shares() -> None:
    asked = Counter(map(kind, islice(mix(CONTENTS, random.Random(1)), 40_000)))
    shares = {each: count / 40_000 for each, count in asked.items()}
    # Half of the questions for another namespace's Service are whole names.
    assert shares == pytest.approx(
        {"external": 0.55, "service": 0.375, "other namespace": 0.025, "SRV": 0.05}, abs=0.01
    )


def test_an_external_name_walks_the_search_path_in_turn() -> None:
    asked = list(islice(mix(CONTENTS, random.Random(1)), 1_000))
    start = next(at for at, each in enumerate(asked) if kind(each) == "external")
    site, _, rest = asked[start].partition(".example.com")
    namespace = rest.split(".")[1]
    whole = f"{site}.example.com"
    names = [f"{whole}.{namespace}.svc.cluster.local", f"{whole}.svc.cluster.local", f"{whole}.cluster.local", whole]
    assert asked[start : start + 8] == [f"{name} {qtype}" for name in names for qtype in ("A", "AAAA")]


def test_hot_asks_for_every_service() -> None:
    names = {f"{each.name}.{each.namespace}.svc.cluster.local A" for each in CONTENTS.services}
    assert set(islice(hot(CONTENTS, random.Random(1)), 1_000)) == names


def test_denied_names_never_repeat() -> None:
    asked = list(islice(nxflood(CONTENTS, random.Random(1)), 10_000))
    assert len(set(asked)) == 10_000


@pytest.mark.parametrize("questions", [each for each in SETS if each.once], ids=lambda each: each.name)
def test_what_is_asked_once_is_new_in_every_turn(questions: QuestionSet, tmp_path: Path) -> None:
    first = write(questions, CONTENTS, tmp_path, 0.1, 0).read_text().splitlines()
    second = write(questions, CONTENTS, tmp_path, 0.1, 1).read_text().splitlines()
    assert len({*first, *second}) == len(first) + len(second)


def test_a_zone_file_has_cluster_addresses_ports_and_headless_endpoints() -> None:
    lines = list(zone_file(CONTENTS))
    assert "svc-1.ns-1.svc A 10.96.0.1" in lines
    assert "_http._tcp.svc-1.ns-1.svc SRV 0 100 80 svc-1.ns-1.svc" in lines
    assert [line for line in lines if line.startswith("svc-9.")] == [
        "svc-9.ns-0.svc A 10.0.0.1",
        "svc-9.ns-0.svc A 10.0.0.2",
    ]
