"""What listens where, and which block answers which name: a table of Corefiles, and what is wrong with others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.servers import Found, Place, default
from kdns.config.servers import read as servers_of
from kdns.dns import names
from tests.config.reading import read

INTERFACES = {"eth9": ["10.9.0.1", "fd00::9"], "lo": ["127.0.0.1"]}


def found(text: str, port: int = 53) -> Found:
    corefile = read(text)
    assert corefile.problems == ()
    return servers_of(corefile.blocks, Place(port, lambda name: INTERFACES.get(name, [])))


def shown(text: str, port: int = 53) -> dict[str, list[str]]:
    """Routes by listener: zone and block."""
    result = found(text, port)
    assert result.problems == ()
    return {
        listener.label: [f"{names.to_text(route.zone)} {route.block}" for route in listener.routes]
        for listener in result.servers.listeners
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(".:1053 {\nwhoami\n}", {"dns://:1053": [". 0"]}, id="one"),
        pytest.param(".\nwhoami", {"dns://:53": [". 0"]}, id="the command line's port"),
        pytest.param(
            ". {\nwhoami\n}\nexample.org {\nwhoami\n}\na.example.org {\nwhoami\n}",
            {"dns://:53": ["a.example.org. 2", "example.org. 1", ". 0"]},
            id="the longest zone first",
        ),
        pytest.param(
            "example.org example.com:54 {\nwhoami\n}",
            {"dns://:53": ["example.org. 0"], "dns://:54": ["example.com. 0"]},
            id="two keys",
        ),
        pytest.param("10.0.0.0/8 {\nwhoami\n}", {"dns://:53": ["10.in-addr.arpa. 0"]}, id="a range"),
        pytest.param(
            ". {\nbind 127.0.0.1 ::1\nwhoami\n}", {"dns://127.0.0.1:53": [". 0"], "dns://[::1]:53": [". 0"]}, id="bind"
        ),
        pytest.param(
            ". {\nbind eth9 {\nexcept fd00::9\n}\nwhoami\n}", {"dns://10.9.0.1:53": [". 0"]}, id="an interface"
        ),
        pytest.param(
            ". {\nbind eth9 {\nexcept fd00::9 10.9.0.1\n}\nbind 10.9.0.1 {\nexcept ::1\n}\nwhoami\n}",
            {"dns://10.9.0.1:53": [". 0"]},
            id="except is for its own line",
        ),
        pytest.param(
            ". {\nbind 127.0.0.1\nwhoami\n}\n. {\nbind 127.0.0.2\nwhoami\n}",
            {"dns://127.0.0.1:53": [". 0"], "dns://127.0.0.2:53": [". 1"]},
            id="told apart by bind",
        ),
        pytest.param(
            ". {\nview a\nwhoami\n}\n. {\nview b\nwhoami\n}\n. {\nwhoami\n}",
            {"dns://:53": [". 0", ". 1", ". 2"]},
            id="views in the file's order",
        ),
        pytest.param("tls://. {\ntls a.pem b.pem\nwhoami\n}", {"tls://:853": [". 0"]}, id="tls"),
    ],
)
def test_listeners_and_routes(text: str, expected: dict[str, list[str]]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (". {\nwhoami\n}\n. {\nwhoami\n}", [(4, 1, ". is served by Corefile:1:1 already")]),
        (". . {\nwhoami\n}", [(1, 3, ". is served by Corefile:1:1 already")]),
        (
            ". {\nwhoami\n}\n. {\nbind 127.0.0.1\nwhoami\n}",
            [(4, 1, ". on 127.0.0.1:53 is served by Corefile:1:1, too")],
        ),
        ("https://. {\nwhoami\n}", [(1, 1, "found the scheme https://, which kdns doesn't speak")]),
        ("tls://. {\nwhoami\n}", [(1, 1, "found no tls in this server block")]),
        ("tls://. {\ntls a.pem\nwhoami\n}", [(2, 10, "tls: found the end of the line, expected KEY, ")]),
        ("tls://. {\ntls a.pem b.pem {\nacme\n}\nwhoami\n}", [(3, 1, 'kdns has no option "acme" of tls')]),
        (
            ". {\nbind nowhere\nwhoami\n}",
            [
                (1, 1, 'bind: found no interface "nowhere" with an address'),
                (1, 1, "bind: found no address to listen on"),
            ],
        ),
        ("a.b.:x {\nkuberntes\n}", [(1, 1, 'found no zone in "a.b.:x": '), (2, 1, 'unknown directive "kuberntes"')]),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, expected: list[tuple[int, int, str]]) -> None:
    problems = found(text).problems
    assert [(each.place.line, each.place.column) for each in problems] == [each[:2] for each in expected]
    for problem, (_, _, message) in zip(problems, expected, strict=True):
        assert problem.message.startswith(message)


def test_settings_of_a_block_are_found_by_their_directive() -> None:
    servers = found(". {\nforward . 10.0.0.1\ncache 30\nforward a. 10.0.0.2\n}").servers
    (block,) = servers.blocks
    assert [len(forward.upstreams) for forward in block.each(Forward)] == [1, 1]
    cache = block.first(Cache)
    assert cache is not None
    assert cache.ttl_s == 30


def test_empty_corefile_answers_who_asked() -> None:
    servers = default(1053)
    assert [listener.label for listener in servers.listeners] == ["dns://:1053"]
    assert [type(each).__name__ for each in servers.blocks[0].settings] == ["Log", "Whoami"]


KEYS = st.sampled_from([".", "a.", "b.a.", ".:54", "a.:54", "10.0.0.0/9", "tls://a.", "x://a.", "a:"])
BODIES = st.lists(
    st.sampled_from(
        ["whoami", "bind 127.0.0.1", "bind lo eth9", "bind none", "tls a b", "view v", "nonsense", "cache x x"]
    ),
    max_size=4,
)


@given(st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), BODIES), min_size=1, max_size=4))
def test_no_zone_has_two_blocks_at_a_listener_without_a_view(blocks: list[tuple[list[str], list[str]]]) -> None:
    text = "\n".join(f"{' '.join(keys)} {{\n{chr(10).join(body)}\n}}" for keys, body in blocks)
    corefile = read(text)
    result = servers_of(corefile.blocks, Place(53, lambda name: INTERFACES.get(name, [])))
    for listener in result.servers.listeners:
        sizes = [len(route.zone) for route in listener.routes]
        assert sizes == sorted(sizes, reverse=True)
        plain = [route.zone for route in listener.routes if "View" not in _names(result, route.block)]
        assert len(plain) == len(set(plain))
    for problem in result.problems:
        assert 1 <= problem.place.line <= text.count("\n") + 1


def _names(result: Found, block: int) -> list[str]:
    return [type(each).__name__ for each in result.servers.blocks[block].settings]
