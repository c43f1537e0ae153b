"""YAML to documents: what scalars mean, where things stand, and that nothing breaks the reader."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.sources.documents import Document, read
from kdns.sources.errors import SourceError


def values(text: str) -> list[Any]:
    return [document.value for document in read(text.encode(), "a.yaml")]


def refusal(octets: bytes) -> str:
    with pytest.raises(SourceError) as caught:
        read(octets, "a.yaml")
    return str(caught.value)


SCALARS: list[tuple[str, Any]] = [
    # Everything is the text as written ...
    ("name: on", {"name": "on"}),
    ("name: 1_0", {"name": "1_0"}),
    ("name: 017", {"name": "017"}),
    ("name: 2001-01-01", {"name": "2001-01-01"}),
    ("name: 1e3", {"name": "1e3"}),
    ("clusterIP: None", {"clusterIP": "None"}),
    ("externalName: true", {"externalName": "true"}),
    ("name: ~", {"name": None}),
    ("name:", {"name": None}),
    ("name: 'null'", {"name": "null"}),
    ("name: !!str null", {"name": "null"}),
    ("ip: 10.0.0.1", {"ip": "10.0.0.1"}),
    # ... but in the fields that Kubernetes types otherwise.
    ("port: 80", {"port": 80}),
    ("port: 8_080", {"port": 8080}),
    ("port: 0x50", {"port": 80}),
    ("port: 0120", {"port": 80}),
    ("port: '80'", {"port": "80"}),
    ("port: 80.0", {"port": "80.0"}),
    ("port: ٨٠", {"port": "٨٠"}),
    ("port: 99999999999999999999", {"port": "99999999999999999999"}),
    ("targetPort: http", {"targetPort": "http"}),
    ("replicas: -1", {"replicas": -1}),
    ("ready: false", {"ready": False}),
    ("ready: No", {"ready": False}),
    ("publishNotReadyAddresses: yes", {"publishNotReadyAddresses": True}),
    ("ready: 'true'", {"ready": "true"}),
    ("ready: maybe", {"ready": "maybe"}),
    # Labels and selectors are text throughout.
    ("labels: {ready: true, port: 80, on: off}", {"labels": {"ready": "true", "port": "80", "on": "off"}}),
    ("selector: {matchLabels: {port: 1_0}}", {"selector": {"matchLabels": {"port": "1_0"}}}),
    ('{"port": 80,\n\t"path": "\\/x"}', {"port": 80, "path": "/x"}),
    ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", {"a": {"x": "1", "y": "2"}, "b": {"x": "1", "y": "3"}}),
    ("a: &a {x: 1}\nb: {<<: [*a, {x: 2, z: 3}]}", {"a": {"x": "1"}, "b": {"x": "1", "z": "3"}}),
    ("'<<': 1", {"<<": "1"}),
]


@pytest.mark.parametrize(("text", "expected"), SCALARS)
def test_a_value_is_what_kubernetes_takes_it_for(text: str, expected: Any) -> None:
    assert values(text) == [expected]


@pytest.mark.parametrize("text", ["", "---\n", "# nothing\n", "---\n---\n# nothing\n---\nnull\n"])
def test_empty_documents_are_nothing(text: str) -> None:
    assert values(text) == []


def test_documents_know_their_lines() -> None:
    assert read(b"# first\nkind: A\n---\n\nkind: B\n--- text\n", "a.yaml") == [
        Document({"kind": "A"}, "a.yaml:2"),
        Document({"kind": "B"}, "a.yaml:5"),
        Document("text", "a.yaml"),
    ]


def test_lists_are_flattened_and_give_their_items_a_kind() -> None:
    text = b"kind: List\nitems:\n- kind: A\n- kind: ServiceList\n  items:\n  - name: x\n---\nkind: PodList\nitems:\n"
    assert read(text, "a.yaml") == [
        Document({"kind": "A"}, "a.yaml:3"),
        Document({"name": "x", "kind": "Service"}, "a.yaml:6"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_in_its_encodings_is_read(encoding: str) -> None:
    assert [document.value for document in read("name: ü".encode(encoding), "a.yaml")] == [{"name": "ü"}]


ERRORS = [
    (b"a: b: c", "a.yaml:1:5: found ': c', expected other YAML (mapping values are not allowed in this context)"),
    (b"a:\n- b\nc", "a.yaml:4:1: found the end of the file, expected ':' while scanning a simple key from line 3"),
    (
        b"x: 1\na: [1,2",
        "a.yaml:3:1: found the end of the file, expected ',' or ']' while parsing a flow sequence from line 2",
    ),
    (b"- a\nb: 1", "a.yaml:2:1: found 'b: 1', expected '-' indicator while parsing a block collection from line 1"),
    (b"a: *b", "a.yaml:1:4: found *b, expected a whole value with &b before it"),
    (b"a: &b [*b]", "a.yaml:1:8: found *b, expected a whole value with &b before it"),
    (b"a: &b 1\n---\na: *b", "a.yaml:3:4: found *b, expected a whole value with &b before it"),
    (b"a: 1\na: 2", "a.yaml:2:1: found the key 'a' a second time, expected each key once"),
    (b"? [a]\n: b", "a.yaml:1:3: found a key that is no text, expected a text"),
    (b"<<: a", "a.yaml:1:1: found a << that merges no mapping, expected a mapping"),
    (b"a: 1\nb: \xff", "a.yaml:2:4: found b'\\xff' (invalid leading UTF-8 octet), expected UTF-8 text"),
    (b"a: \x07", "a.yaml:1:4: found b'\\x07' (control characters are not allowed), expected UTF-8 text"),
]


@pytest.mark.parametrize(("octets", "expected"), ERRORS)
def test_an_error_names_file_line_and_column_what_was_found_and_expected(octets: bytes, expected: str) -> None:
    assert refusal(octets) == expected


@pytest.mark.parametrize("octets", [b"[" * 100_000, b"- " * 5_000, b"{a: " * 5_000])
def test_deep_nesting_is_refused_before_it_ends_the_process(octets: bytes) -> None:
    assert "found one more level of nesting, expected at most 200" in refusal(octets)


def test_a_billion_laughs_are_refused() -> None:
    lines = [b"a: &a [" + b"lol," * 9 + b"]"]
    lines += [b"%c: &%c [%s]" % (98 + at, 98 + at, b",".join([b"*%c" % (97 + at)] * 9)) for at in range(9)]
    assert "found aliases that blow the file up, expected at most 10 times its size" in refusal(b"\n".join(lines))


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    assert "aliases that blow" in refusal(b"a: &a " + b"x" * 100_000 + b"\nb: [" + b"*a," * 1_000 + b"]")


def test_a_template_used_by_a_few_objects_is_fine() -> None:
    text = "a: &a {app: web, tier: front}\n" + "".join(f"b{number}: *a\n" for number in range(50))
    assert values(text)[0]["b49"] == {"app": "web", "tier": "front"}


_PIECES = st.sampled_from(["a", ":", " ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "'", '"', "---\n", "\t", "!", "%", "kind: List\n", "items: "])  # fmt: skip


@given(st.binary(max_size=60) | st.lists(_PIECES, max_size=30).map(lambda pieces: "".join(pieces).encode()))
def test_any_octets_give_documents_or_one_line_about_the_file(octets: bytes) -> None:
    said = ""
    try:
        read(octets, "a.yaml")
    except SourceError as error:
        said = str(error)
    assert not said or (said.startswith("a.yaml:") and "\n" not in said)
