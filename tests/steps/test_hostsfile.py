"""Files like /etc/hosts as tables: a law beside a slow reading of the same lines, and what is ignored."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.dns.names import ROOT, Name, fold, from_text, is_below, to_text
from kdns.steps.hostsfile import LINES_AT_ONCE, Source, Table, table_of
from kdns.steps.watched import Portions


def source(text: str, *zones: str, reverse: bool = True) -> Source:
    made = Source([fold(from_text(zone)) for zone in zones or (".",)], reverse=reverse)
    for _ in made.read(text.encode()):
        pass
    return made


def table(*texts: str, zones: Sequence[str] = ()) -> Table:
    kept: list[Table] = []

    def keep() -> Portions:
        kept.append((yield from table_of([source(text, *zones) for text in texts])))

    for _ in keep():
        pass
    return kept[0]


def found(one: Table, name: str) -> list[str]:
    four, sixteen = one.addresses(fold(from_text(name))) or ((), ())
    return [str(ip_address(address)) for address in (*four, *sixteen)]


LABELS = st.sampled_from(["a", "b", "*", "C"])
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2%eth0", "::ffff:10.0.0.3"])
LINES = st.lists(st.tuples(ADDRESSES, st.lists(NAMES, min_size=1, max_size=3)), max_size=8)


def spelt(address: str) -> str:
    read = ip_address(address.partition("%")[0])
    mapped = getattr(read, "ipv4_mapped", None)
    return str(mapped or read)


def slowly(lines: Sequence[tuple[str, list[str]]], name: str, version: int) -> list[str]:
    """What one source has of a name and family: its own lines, else those of a wildcard."""
    wanted = [name.lower(), f"*.{name.lower().partition('.')[2]}"]
    for each in wanted[: 2 if "." in name else 1]:
        hits = [
            spelt(address)
            for address, names in lines
            for one in names
            if one.lower() == each and ip_address(spelt(address)).version == version
        ]
        if hits and each != "*":
            return hits
    return []


@given(LINES, LINES, NAMES)
def test_a_table_has_what_a_slow_reading_of_all_lines_finds(
    first: list[tuple[str, list[str]]], second: list[tuple[str, list[str]]], name: str
) -> None:
    texts = ["\n".join(f"{address}\t{' '.join(names)}" for address, names in lines) for lines in (first, second)]
    expected = [
        address
        for version in (4, 6)
        for address in dict.fromkeys(slowly(first, name, version) + slowly(second, name, version))
    ]
    if name != "*":  # the wildcard of all names of one label stands for none
        assert found(table(*texts), name) == expected


@given(LINES, st.sampled_from(["a.", "b.a.", "c.", "."]), st.sampled_from(["a.", "b.a.", "b.", "."]))
def test_names_outside_the_zones_are_left_out_and_the_table_tells_below_which_zones_it_has_names(
    lines: list[tuple[str, list[str]]], within: str, zone: str
) -> None:
    one = table("\n".join(f"{address} {' '.join(names)}" for address, names in lines), zones=[within])
    listed = {fold(from_text(name)) for _, names in lines for name in names}
    kept = {name for name in listed if is_below(name, from_text(within))}
    assert set(one.names) == {name for name in kept if not name.startswith(b"\1*")}
    assert {name for names in one.reverse.values() for name in names} == set(one.names)
    # A wildcard stands for names below its own.
    assert one.reaches(from_text(zone)) == any(
        is_below(name, from_text(zone)) for name in kept if name != from_text("*.")
    )


@given(LINES)
def test_the_end_of_every_name_of_several_labels_is_among_the_ends(lines: list[tuple[str, list[str]]]) -> None:
    one = table("\n".join(f"{address} {' '.join(names)}" for address, names in lines))
    listed = {fold(from_text(name)) for _, names in lines for name in names}
    ends = {Name(from_text(to_text(name).rstrip(".").rpartition(".")[2])) for name in listed if name[name[0] + 1]}
    assert one.ends == ends
    assert ROOT not in one.ends


def test_names_of_an_address_stand_in_the_order_of_the_lines() -> None:
    one = table("10.0.0.1 b a\n10.0.0.1 c b\n", "10.0.0.1 d")
    assert [to_text(name) for name in one.reverse[from_text("1.0.0.10.in-addr.arpa.")]] == ["b.", "a.", "c.", "d."]


def test_entries_are_counted_as_coredns_does() -> None:
    assert table("10.0.0.1 a b\nfd00::1 a\n10.0.0.2 *.a\n", "10.0.0.1 a").entries == 2 * 3 + 1 + 2
    assert source("10.0.0.1 a b\n", reverse=False).entries == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nonsense web", "line 1: found 'nonsense', expected an IP address"),
        ("10.0.0.300 web", "line 1: found '10.0.0.300', expected an IP address"),
        ("010.0.0.1 web", "line 1: found '010.0.0.1', expected an IP address"),
        ("10.0.0.1", "line 1: found '10.0.0.1', expected an address and at least one name"),
        (
            "10.0.0.1 a..b",
            "line 1: found 'a..b', expected a domain name (a label has 0 octets, expected 1 to 63)",
        ),
        ("\xff web", "line 1: found 'ÿ', expected an IP address"),
    ],
)
def test_what_is_no_line_of_a_hosts_file_is_told(line: str, said: str) -> None:
    assert [str(each) for each in source(line).ignored] == [said]


@given(st.binary(max_size=200))
def test_any_octets_are_read_to_their_end(octets: bytes) -> None:
    made = Source([ROOT], reverse=True)
    for _ in made.read(octets):
        pass
    assert made.used + len(made.ignored) >= sum(bool(line.partition(b"#")[0].split()) for line in octets.split(b"\n"))


def test_long_files_are_read_in_portions() -> None:
    made = Source([ROOT], reverse=True)
    portions = list(made.read(b"10.0.0.1 a\n" * 3 * LINES_AT_ONCE))
    assert len(portions) == 3
    assert made.used == 3 * LINES_AT_ONCE
