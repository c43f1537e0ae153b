from kdns.cluster.counters import Counters
from kdns.cluster.objects import Key, Problem


def problem(field: str) -> Problem:
    return Problem("Service", Key("shop", "web"), field, "found", "expected")


def test_problems_are_counted_by_field_whatever_the_index() -> None:
    counters = Counters()
    counters.count([problem("spec.ports[0].name"), problem("spec.ports[17].name"), problem("spec.type")])
    assert counters.problems == {("Service", "spec.ports[].name"): 2, ("Service", "spec.type"): 1}


def test_no_more_than_a_hundred_fields_are_counted_apart() -> None:
    counters = Counters()
    counters.count(problem(f"metadata.labels.{number}") for number in range(1000))
    assert len(counters.problems) == 101
    assert counters.problems["Service", "others"] == 900
