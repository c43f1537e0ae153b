"""The page /explain: what is asked is explained from the server's own store, in bounded work."""

import asyncio
import json
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kdns.config import flags
from kdns.config.flags import Flags, Surroundings
from kdns.config.serving import Serving
from kdns.controller.explaining import Explaining, notes_of, type_of
from kdns.controller.feed import Feed, wish_of
from kdns.dns import types
from kdns.explain.explanation import Explanation, decode
from kdns.explain.path import QuestionError
from kdns.ops.listener import Response

EXAMPLES = Path(__file__).parents[2] / "examples"
AROUND = Surroundings("", in_pod=False, resolv_conf="", is_own=lambda _: False, workers=lambda: 1)


def settings() -> Serving:
    return flags.serving(Flags(manifests=(str(EXAMPLES),), listen=("127.0.0.1:5300",)), AROUND)[0]


def asked(**fields: object) -> Response:
    """The page of a controller that serves the example."""

    async def page() -> Response:
        synced = asyncio.Event()
        feed = Feed(wish_of(settings()), lambda _feed, _patch, _change: synced.set(), lambda: 0)
        feeding = asyncio.ensure_future(feed.run())
        try:
            async with asyncio.timeout(20):
                await synced.wait()
            return await Explaining().page(urlencode(fields, doseq=True), feed, settings(), (1, None))
        finally:
            feeding.cancel()

    return asyncio.run(page())


def told(**fields: object) -> Explanation:
    status, kind, body = asked(**fields)
    assert (status, kind) == (200, "application/json")
    return decode(body)


def test_it_explains_at_the_servers_revision() -> None:
    page = told(**{"name": "web", "from": "shop"})
    assert page.answered == "web.shop.svc.cluster.local."
    assert (page.freshness.revision, page.freshness.workers) == (1, (1, None))
    assert all(each.synced and each.age_s is not None for each in page.freshness.resources)


def test_a_search_path_may_be_given() -> None:
    page = told(name="web", ndots=0, search=["x.example", "shop.svc.cluster.local"], whose="pod a/b", note="odd")
    assert [each.name for each in page.candidates][:2] == ["web.", "web.x.example."]
    assert (page.path.whose, page.notes) == ("pod a/b", ("odd",))


def test_reverse_names_are_found_without_an_index_of_all_addresses() -> None:
    page = told(name="10.244.1.10")
    assert page.candidates[0].replies[0].records[0].data == "10-244-1-10.web.shop.svc.cluster.local."


@pytest.mark.parametrize(
    "fields",
    [
        *({}, {"name": "a..b"}, {"name": "x" * 2000}, {"name": "a", "ndots": "99"}, {"name": "a", "type": "AXFR"}),
        {"name": "a", "search": ["x"] * 100},
    ],
)
def test_what_is_wrong_with_a_question_is_said(fields: dict[str, object]) -> None:
    status, kind, body = asked(**fields)
    assert (status, kind) == (400, "text/plain; charset=utf-8")
    assert body.startswith(b"found ")
    assert b"expected" in body


@pytest.mark.parametrize(("text", "number"), [("", None), ("srv", types.SRV), ("TYPE257", 257), ("any", types.ANY)])
def test_types_are_named(text: str, number: int | None) -> None:
    assert type_of(text) == number


@pytest.mark.parametrize("text", ["AXFR", "OPT", "NOPE", "TYPE0", "TYPE65536", "TYPE", "TYPE٣"])
def test_types_without_records_are_refused(text: str) -> None:
    with pytest.raises(QuestionError, match="expected one that records have"):
        type_of(text)


def test_nothing_before_kubernetes_is_nothing_to_note() -> None:
    assert notes_of(settings()) == ()


def test_an_explanation_is_json() -> None:
    assert json.loads(asked(name="web")[2])["path"]["ndots"] == 5
