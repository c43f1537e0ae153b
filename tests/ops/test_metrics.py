"""Metrics: one table, a page that Prometheus reads, counts that add up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.ops.metrics import (
    FAMILIES,
    Counts,
    Family,
    ReportError,
    decode_report,
    encode_report,
    escape,
    lasting,
    merge,
    render,
)

BLOCK = ("dns://:53", ".", "")
REQUESTS = "coredns_dns_requests_total"


def series_of(family: Family) -> st.SearchStrategy[tuple[str, tuple[str, ...]]]:
    bound = ("le",) if family.type == "histogram" else ()
    return st.tuples(st.just(family.names[0]), st.tuples(*(st.text(max_size=8) for _ in (*family.labels, *bound))))


reports: st.SearchStrategy[Counts] = st.dictionaries(
    st.sampled_from(tuple(FAMILIES.values())).flatmap(series_of), st.integers(0, 2**50).map(float), max_size=6
)


def test_a_family_is_introduced_once_and_its_series_stand_in_order() -> None:
    expected = """\
# HELP kdns_objects Objects held.
# TYPE kdns_objects gauge
kdns_objects{resource="pods"} 0
kdns_objects{resource="services"} 10000
"""
    assert render([("kdns_objects", ("services",), 10_000.0), ("kdns_objects", ("pods",), 0)]) == expected


def test_a_histogram_is_its_buckets_by_bound_its_sum_and_its_count() -> None:
    name, labels = "coredns_forward_request_duration_seconds", ("192.0.2.1:53", "NOERROR")
    of = 'to="192.0.2.1:53",rcode="NOERROR"'
    samples = [
        (f"{name}_count", labels, 7.0),
        (f"{name}_bucket", (*labels, "+Inf"), 7.0),
        (f"{name}_sum", labels, 1.5),
        (f"{name}_bucket", (*labels, "8.0"), 5.0),
        (f"{name}_bucket", (*labels, "0.00025"), 1.0),
        (f"{name}_bucket", (*labels, "0.5"), 4.0),
    ]
    page = render(samples)
    assert page.splitlines()[1:] == [
        f"# TYPE {name} histogram",
        f'{name}_bucket{{{of},le="0.00025"}} 1',
        f'{name}_bucket{{{of},le="0.5"}} 4',
        f'{name}_bucket{{{of},le="8.0"}} 5',
        f'{name}_bucket{{{of},le="+Inf"}} 7',
        f"{name}_sum{{{of}}} 1.5",
        f"{name}_count{{{of}}} 7",
    ]
    series = {(each, values): value for each, values, value in samples}
    assert lasting(merge([series, series])) == {each: 2 * value for each, value in series.items()}


def test_families_come_in_the_order_of_the_table() -> None:
    page = render([("kdns_memo_hits_total", (), 7), ("coredns_panics_total", (), 0)])
    assert [line for line in page.splitlines() if line[0] != "#"] == [
        "coredns_panics_total 0",
        "kdns_memo_hits_total 7",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"),
        (0.25, "0.25"),
        (2.0**53, "9007199254740992"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_a_number_is_written_as_prometheus_reads_it(value: float, text: str) -> None:
    assert render([("kdns_memo_entries", (), value)]).splitlines()[-1] == f"kdns_memo_entries {text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("cluster.local.", "cluster.local."),
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", r"a\nb"),
        ("a\r\0\x1b[31mb", r"a\\r\\x00\\x1b[31mb"),
        ("\u2028", r"\\u2028"),
        ("\udcff", r"\\udcff"),
        ("grüße", "grüße"),
    ],
)
def test_a_label_value_can_break_neither_the_line_nor_a_terminal(value: str, text: str) -> None:
    assert escape(value) == text


@given(st.text())
def test_any_label_value_stays_on_its_line_and_can_be_sent(value: str) -> None:
    page = render([("kdns_objects", (value,), 1)])
    assert page.count("\n") == 3
    assert len(page.splitlines()) == 3
    page.encode()


def test_types_outside_of_the_closed_set_are_one_series() -> None:
    labels = (*BLOCK, "udp", "1")
    page = render(
        [(REQUESTS, (*labels, "TYPE666"), 2), (REQUESTS, (*labels, "NULL"), 3), (REQUESTS, (*labels, "A"), 4)]
    )
    assert page.splitlines()[2:] == [
        f'{REQUESTS}{{server="dns://:53",zone=".",view="",proto="udp",family="1",type="A"}} 4',
        f'{REQUESTS}{{server="dns://:53",zone=".",view="",proto="udp",family="1",type="other"}} 5',
    ]


def test_long_label_values_are_cut() -> None:
    assert len(render([("kdns_objects", ("x" * 10_000,), 1)])) < 400


@pytest.mark.parametrize(
    "samples",
    [
        [("kdns_unheard_of", (), 1.0)],
        [("kdns_objects", (), 1.0)],
        [("coredns_forward_request_duration_seconds", ("a", "b"), 1.0)],
        [("coredns_forward_request_duration_seconds_bucket", ("a", "b"), 1.0)],
        [("kdns_panics_total", ("a",), 1.0)],
        [("kdns_memo_entries", (), 1.0), ("kdns_memo_entries", (), 1.0)],
    ],
)
def test_what_only_a_mistake_in_the_code_brings_about_is_raised(
    samples: list[tuple[str, tuple[str, ...], float]],
) -> None:
    with pytest.raises(ValueError, match=r"family|labels|twice"):
        render(samples)


def test_reports_of_workers_add_up_series_by_series() -> None:
    first = {("kdns_memo_hits_total", ()): 1.0, ("kdns_dropped_total", ("short",)): 5.0}
    second = {("kdns_memo_hits_total", ()): 2.0, ("kdns_dropped_total", ("response",)): 1.0}
    assert merge([first, second]) == {
        ("kdns_memo_hits_total", ()): 3.0,
        ("kdns_dropped_total", ("short",)): 5.0,
        ("kdns_dropped_total", ("response",)): 1.0,
    }


def test_what_each_worker_tells_the_same_counts_once_with_the_greatest_value() -> None:
    entries = ("coredns_hosts_entries", ("/etc/hosts",))
    assert merge([{entries: 7.0}, {entries: 9.0}, {entries: 7.0}]) == {entries: 9.0}


@given(st.lists(reports, max_size=4))
def test_the_order_and_grouping_of_reports_does_not_matter(several: list[Counts]) -> None:
    assert merge(reversed(several)) == merge([merge(several[:2]), merge(several[2:])])


def test_of_a_worker_that_ended_the_counters_stay_and_the_gauges_go() -> None:
    last: Counts = {("kdns_memo_hits_total", ()): 1.0, ("kdns_memo_entries", ()): 5.0}
    assert lasting(last) == {("kdns_memo_hits_total", ()): 1.0}


@given(reports)
def test_a_report_arrives_as_it_was_sent(report: Counts) -> None:
    assert decode_report(encode_report(report)) == report


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"7",
        b"{}x",
        b"\xff",
        b"[[]]",
        b'[["kdns_memo_hits_total",[]]]',
        b'[["kdns_memo_hits_total",[],"1"]]',
        b'[["x",[],1]]',
        b'[["kdns_memo_hits_total",["a"],1]]',
        b"[" * 100_000,
    ],
)
def test_octets_that_are_no_report_are_refused(octets: bytes) -> None:
    with pytest.raises(ReportError):
        decode_report(octets)


@given(st.binary())
def test_any_octets_are_a_report_or_refused(octets: bytes) -> None:
    try:
        decode_report(octets)
    except ReportError:
        return


def test_names_say_what_a_family_is() -> None:
    for family in FAMILIES.values():
        assert family.name.endswith("_total") is (family.type == "counter"), family.name
        assert family.name.startswith(("coredns_", "kdns_", "process_"))
        assert family.help.isprintable()
        assert "\\" not in family.help
