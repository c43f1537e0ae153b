"""Shapes: a misfit is left out and complained of by its path, the rest is read."""

import pytest

from kdns.cluster.shapes import Complaint, DecodeError, LabelledService, Reader, Slice

SERVICES = Reader(LabelledService, "a Service")
SLICES = Reader(Slice, "an EndpointSlice")


@pytest.mark.parametrize(
    ("octets", "complaints"),
    [
        (b'{"spec":{"clusterIPs":["10.0.0.1",7]}}', [Complaint("spec.clusterIPs[1]", "7", "a string")]),
        (b'{"spec":{"ports":[{"port":"x"}]}}', [Complaint("spec.ports[0].port", '"x"', "an integer")]),
        (b'{"spec":{"ports":[[],{"port":1.5}]}}',
         [Complaint("spec.ports[0]", "[]", "an object"), Complaint("spec.ports[1].port", "1.5", "an integer")]),
        (b'{"spec":{"ports":{}}}', [Complaint("spec.ports", "{}", "an array")]),
        (b'{"spec":true}', [Complaint("spec", "true", "an object")]),
        (b'{"metadata":{"labels":{"a":"b","c":1}}}', [Complaint("metadata.labels.c", "1", "a string")]),
        (b'{"metadata":{"name":["\xc3\xa9"]}}', [Complaint("metadata.name", '["\\xe9"]', "a string")]),
        (b'{"metadata":{"uid":1e999}}', [Complaint("metadata.uid", "1e999", "a string")]),
    ],
)  # fmt: skip
def test_each_misfit_is_complained_of_by_its_path(octets: bytes, complaints: list[Complaint]) -> None:
    found: list[Complaint] = []
    SERVICES.leniently(octets, found)
    assert found == complaints


def test_what_fits_beside_a_misfit_is_read() -> None:
    service = SERVICES.leniently(b'{"metadata":{"name":"a","uid":1,"labels":{"b":"c"}},"spec":{"type":"X"}}', [])
    assert (service.metadata.name, service.metadata.uid, service.metadata.labels) == ("a", "", {"b": "c"})
    assert service.spec.type == "X"


def test_null_is_a_field_that_is_not_there() -> None:
    complaints: list[Complaint] = []
    seen = SLICES.leniently(b'{"metadata":null,"endpoints":[{"addresses":null,"conditions":null}]}', complaints)
    assert complaints == []
    assert seen.metadata.name == ""
    assert seen.endpoints is not None
    assert (seen.endpoints[0].addresses, seen.endpoints[0].conditions.ready) == ([], None)


def test_a_long_value_is_quoted_in_part() -> None:
    complaints: list[Complaint] = []
    SERVICES.leniently(b'{"spec":"' + b"x" * 5000 + b'"}', complaints)
    assert len(complaints[0].found) <= 90


@pytest.mark.parametrize("octets", [b"", b"[]", b"null", b"3", b'{"spec":3', b'{"spec":3}}', b'{"spec":3,"x":"\xff'])
def test_what_is_no_json_object_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError, match="expected a Service: "):
        SERVICES.leniently(octets, [])


def test_strictly_nothing_is_left_out() -> None:
    with pytest.raises(DecodeError, match=r"expected a Service: .*spec\.type"):
        SERVICES.strictly(b'{"spec":{"type":3}}')
