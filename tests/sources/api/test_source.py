"""The API server's source against a server that keeps no rule: real sockets, virtual time."""

import asyncio
import gzip
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Delta, Drop, Key, Put, Reset, Resource, Synced
from kdns.config.settings import ClusterSource
from kdns.sources.api import ApiSource
from kdns.sources.credentials import Credentials
from kdns.sources.errors import SourceError
from kdns.sources.status import ResourceStatus
from tests.cluster.api_server import Cluster, bookmark, error, event, page, service, status
from tests.sources.sinful_server import Behaviour, SinfulServer, answer, chunk, sends, serving, stalls, streams
from tests.virtual_time import run

LISTED = answer(page(5, service("web", 3)))
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Account:
    """Somebody whose token is replaced after a 401."""

    def __init__(self, port: int) -> None:
        self.server = f"http://127.0.0.1:{port}"
        self.refusals = 0

    async def credentials(self) -> Credentials:
        return Credentials(self.server, f"Bearer token-{self.refusals}")

    def refused(self, credentials: Credentials) -> None:
        self.refusals += 1


class Observed:
    """A source at work: what it emits, logs, and when."""

    def __init__(self, server: SinfulServer, optional: bool) -> None:
        self.server = server
        self.cluster = Cluster()
        self.batches: list[list[Delta]] = []
        self.times: list[float] = []
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.account = Account(server.port)
        self.status: ResourceStatus | None = None  # at the end
        self._changed = asyncio.Event()
        self.source = ApiSource(
            ClusterSource(),
            resources=("services",),
            optional=frozenset(("services",)) if optional else frozenset[Resource](),
            decode_options=DecodeOptions(),
            stamp=lambda _, key: self.cluster.stamp(key),
            keys=lambda _: tuple(self.cluster.objects),
            emit=self.emit,
            report=self.cluster.problems.append,
            log=self,
            account=self.account,
        )

    def emit(self, deltas: list[Delta], _since: float) -> None:
        self.batches.append(deltas)
        self.times.append(asyncio.get_running_loop().time())
        self.cluster.apply(deltas)
        self._changed.set()

    def info(self, event: str, /, **keys: Any) -> None:
        self.lines.append((event, keys))
        self._changed.set()

    warning = info

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10_000):
            while not condition():
                await self._changed.wait()
                self._changed.clear()


def observe(
    *behaviours: Behaviour, until: Callable[[Observed], bool] | None = None, optional: bool = False
) -> Observed:
    """The source's doings with a server of these behaviours, until the condition (synced and quiet) holds."""

    async def observed() -> Observed:
        async with serving(*behaviours) as server:
            seen = Observed(server, optional)
            task = asyncio.create_task(seen.source.run())
            try:
                condition = until
                await seen.until((lambda: condition(seen)) if condition else (lambda: seen.cluster.synced > 0))
                seen.status = seen.source.status()["services"]
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        return seen

    return run(observed())


def has(name: str) -> Callable[[Observed], bool]:
    return lambda seen: name in seen.cluster.names


def test_a_list_and_its_events_are_emitted_as_they_come() -> None:
    seen = observe(LISTED, streams(event("ADDED", service("api", 6)) + b"\n"), until=has("api"))
    assert [type(delta) for batch in seen.batches for delta in batch] == [Reset, Synced, Put]
    assert seen.server.connections == 1


def test_all_events_of_one_read_are_one_batch() -> None:
    events = b"".join(event("ADDED", service(f"s{number}", 6 + number)) + b"\n" for number in range(20))
    seen = observe(LISTED, sends(HEAD + chunk(events)), until=has("s19"))
    assert [len(batch) for batch in seen.batches] == [2, 20]


def test_an_event_that_comes_in_pieces_is_emitted_when_it_is_whole() -> None:
    line = event("ADDED", service("api", 6)) + b"\n"

    async def trickle(_: bytes, writer: asyncio.StreamWriter) -> None:
        await streams()(b"", writer)
        for octet in line:
            await asyncio.sleep(1)
            writer.write(chunk(bytes((octet,))))

    seen = observe(LISTED, trickle, until=has("api"))
    assert seen.times == [0, len(line)]


def test_pages_come_over_one_connection() -> None:
    pages = [page(9, service("a", 1), token="t"), page(9, service("b", 2), token="u"), page(9, service("c", 3))]
    seen = observe(*map(answer, pages), streams())
    assert seen.cluster.names == {"a", "b", "c"}
    assert seen.server.targets[:3] == [
        f"/api/v1/services?limit=500{token}" for token in ("", "&continue=t", "&continue=u")
    ]
    assert seen.server.connections == 1


def test_the_next_page_is_asked_for_before_one_is_decoded() -> None:
    came: list[int] = []

    async def second(_: bytes, writer: asyncio.StreamWriter) -> None:
        await answer(page(9, service("b", 2)))(b"", writer)

    async def ahead() -> None:
        async with serving(second) as server, asyncio.TaskGroup() as beside:
            feed = Observed(server, optional=False).source._hands["services"]
            items = (service(f"s{number}", number) for number in range(10_000))
            await feed._page(page(9, *items, token="t"), beside)
            came.append(len(server.requests))
            feed._link.close()

    run(ahead())
    assert came == [1]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param([sends(b"", close=True), sends(b"", close=True)], id="closed, and again"),
        pytest.param([sends(b"nonsense\r\n\r\n")] * 2, id="no HTTP"),
        pytest.param([stalls] * 2, id="stalls"),
        pytest.param([answer(b"", 500)], id="500"),
        # Then a stream is asked for, which this server doesn't know.
        pytest.param([answer(status(410, "Expired"), 410), answer(b"", 422)], id="expired"),
    ],
)
def test_half_a_list_is_listed_anew_whatever_becomes_of_its_second_page(second: list[Behaviour]) -> None:
    seen = observe(answer(page(9, service("ghost", 1), token="t")), *second, LISTED, streams())
    assert seen.cluster.names == {"web"}
    assert seen.times[0] <= 61


def test_a_401_has_the_token_read_again() -> None:
    seen = observe(answer(status(401, "Unauthorized"), 401), LISTED, streams())
    assert [head.split(b"Bearer ")[1].split()[0] for head in seen.server.requests[:2]] == [b"token-0", b"token-1"]
    assert seen.times[0] < 1


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(sends(b"", close=True), id="closed"),
        pytest.param(sends(b"nonsense\r\n\r\n"), id="no HTTP"),
        pytest.param(stalls, id="stalls"),
        pytest.param(answer(b"", 500), id="500"),
        pytest.param(answer(b"<html>", 503), id="503"),
        pytest.param(streams(b'{"metadata":'), id="half a list"),
        pytest.param(streams(b'{"metadata":', close=True), id="a list without end"),
        pytest.param(answer(b"what"), id="no JSON"),
    ],
)
def test_whatever_the_server_does_first_the_list_comes_in_the_end(behaviour: Behaviour) -> None:
    seen = observe(behaviour, LISTED, streams())
    assert seen.cluster.names == {"web"}
    assert seen.times[0] <= 31


def test_trouble_is_logged_once_and_its_end_too() -> None:
    bad = answer(b"", 503)
    seen = observe(bad, bad, bad, LISTED, streams(), until=lambda seen: len(seen.lines) == 3)
    assert [phrase for phrase, _ in seen.lines] == ["resource_in_trouble", "resource_synced", "resource_recovered"]
    assert seen.lines[0][1] == {
        "resource": "services",
        "reason": "services: 503: the API server can't answer; what was last known stays, trying again",
    }


def test_a_watch_that_falls_silent_is_taken_up_again_after_100_seconds() -> None:
    seen = observe(
        LISTED,
        streams(),
        answer(page(6)),
        streams(event("DELETED", service("web", 6)) + b"\n"),
        until=lambda seen: len(seen.batches) == 2,
    )
    assert seen.times == [0, 100]
    assert [type(delta) for delta in seen.batches[1]] == [Drop]
    assert [phrase for phrase, _ in seen.lines] == ["resource_synced"]


def test_a_server_that_dies_is_found_again_and_asked_from_where_it_was() -> None:
    seen = observe(
        LISTED,
        sends(HEAD, close=True),
        answer(page(6)),
        streams(event("ADDED", service("api", 6)) + b"\n"),
        until=has("api"),
    )
    assert seen.server.targets[2] == "/api/v1/services?limit=1"
    assert "resourceVersion=5&" in seen.server.targets[3]


@pytest.mark.parametrize(
    "gone", [streams(error(410, "Expired") + b"\n"), answer(status(410, "Expired"), 410)], ids=["event", "status"]
)
def test_an_expired_version_leads_to_a_new_list(gone: Behaviour) -> None:
    seen = observe(
        LISTED,
        streams(bookmark(6) + b"\n", close=True),
        gone,
        answer(page(9, service("api", 9))),
        streams(),
        until=has("api"),
    )
    assert seen.cluster.names == {"api"}
    assert [phrase for phrase, _ in seen.lines] == ["resource_synced"]


def test_an_object_that_cant_be_decoded_is_read_again_beside_the_watch() -> None:
    broken = event("MODIFIED", service("web", 6, ip="???")).replace(b"???", b"\xff") + b"\n"
    seen = observe(
        LISTED,
        streams(broken),
        answer(page(7, service("web", 7))),
        until=lambda seen: seen.cluster.stamp(Key("shop", "web")) == ("uid-web", "7"),
    )
    assert seen.server.targets[2] == "/api/v1/namespaces/shop/services?fieldSelector=metadata.name%3Dweb"
    assert seen.server.connections == 2


def test_a_list_too_large_is_asked_for_in_smaller_pages() -> None:
    bomb = answer(
        gzip.compress(b'{"metadata":{"resourceVersion":"1"},"items":[' + b" " * (65 << 20) + b"]}"),
        Content_Encoding="gzip",
    )
    seen = observe(bomb, answer(page(9, service("web", 1))), streams())
    assert seen.server.targets[:2] == ["/api/v1/services?limit=500", "/api/v1/services?limit=250"]
    assert seen.cluster.names == {"web"}


def test_an_optional_resource_is_synced_without_permission() -> None:
    seen = observe(answer(status(403, "Forbidden"), 403), optional=True)
    assert seen.batches == [[Synced("services")]]
    assert seen.times[0] < 1


def test_status_tells_of_trouble() -> None:
    seen = observe(answer(status(403, "Forbidden"), 403), until=lambda seen: bool(seen.lines))
    assert seen.status is not None
    assert seen.status[:2] == (False, None)
    assert "the role needs {apiGroups" in str(seen.status.trouble)


def test_status_tells_of_age() -> None:
    async def seven_seconds_later() -> ResourceStatus:
        async with serving(LISTED, streams()) as server:
            seen = Observed(server, optional=False)
            task = asyncio.create_task(seen.source.run())
            await asyncio.sleep(7)
            last = seen.source.status()["services"]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return last

    assert run(seven_seconds_later())[:3] == (True, 7.0, None)


def test_others_get_their_turn_while_a_page_is_decoded() -> None:
    whole = page(9, *(service(f"s{number}", number) for number in range(10_000)))

    async def turns_of_others() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with serving(stalls) as server, asyncio.TaskGroup() as beside:
            feed = Observed(server, optional=False).source._hands["services"]
            task = asyncio.create_task(others())
            await feed._page(whole, beside)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return turns

    assert run(turns_of_others()) > 1


def test_without_credentials_to_begin_with_run_raises() -> None:
    class Nobody(Account):
        async def credentials(self) -> Credentials:
            raise SourceError("no kubeconfig")

    async def start() -> None:
        async with serving(stalls) as server:
            seen = Observed(server, optional=False)
            seen.source.account = Nobody(server.port)
            await seen.source.run()

    with pytest.raises(SourceError, match="no kubeconfig"):
        run(start())
