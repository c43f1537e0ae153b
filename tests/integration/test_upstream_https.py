"""A server whose Corefile forwards over HTTPS: asked by UDP and TCP, counted, and loaded with what that takes alone."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.test_imports import HOOK, WORKER, libraries, modules
from tests.server import REPOSITORY, Server
from tests.steps.certificates import Pair, authority, signed
from tests.steps.doh_of_sins import Doh, doh


@contextmanager
def running(sin: str, pair: Pair) -> Iterator[Doh]:
    """The upstream in a thread with a loop of its own."""
    loop, started, end = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[Doh] = []

    async def serve() -> None:
        async with doh(sin, pair) as server:
            found.append(server)
            started.set()
            await end.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(20)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()
        loop.close()


@contextmanager
def serving(folder: Path, forward: str, within: tuple[str, ...] = ()) -> Iterator[Server]:
    block = f"bind 127.0.0.1\nkubernetes cluster.local\nforward . {forward}\ncache 30\nprometheus 127.0.0.1:0"
    (folder / "Corefile").write_text(f".:0 {{\n{block}\n}}")
    flags = ("-conf", str(folder / "Corefile"), "--manifests", str(REPOSITORY / "examples"), "--workers", "1")
    server = Server(*flags, folder=folder, plain=True, within=within)
    server.start(ready=False)
    server.until_loaded()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_names_of_others_are_asked_over_https(tmp_path: Path, method: str) -> None:
    one = authority(tmp_path)
    with running("aged", signed(tmp_path, one, "DNS:dns.example")) as upstream:
        options = f"{{\ntls {one.certificate}\ndoh_method {method}\n}}"
        with serving(tmp_path, f"https://127.0.0.1%dns.example:{upstream.port}/own {options}") as server:
            for tcp in (False, True):
                reply = server.ask("www.example.com", tcp=tcp)
                assert [str(record) for record in reply.answer[0]] == ["192.0.2.1"]
                assert reply.answer[0].ttl <= 20
            assert server.said("web.shop.svc.cluster.local") == {"10.100.103.179"}
        (request,) = upstream.requests
        assert request.fields[":path"].startswith("/own?dns=" if method == "GET" else "/own")
        assert upstream.connections == 1


def test_who_isnt_believed_is_asked_nothing_and_the_reply_says_why(tmp_path: Path) -> None:
    one = authority(tmp_path)
    with running("honest", signed(tmp_path, one, "DNS:dns.example")) as upstream:
        forward = f"https://127.0.0.1%other.example:{upstream.port} {{\ntls {one.certificate}\n}}"
        with serving(tmp_path, forward) as server:
            reply = server.ask("www.example.com")
            assert reply.rcode().name == "SERVFAIL"
            assert "certificate not believed" in str(reply.extended_errors()[0])
            assert server.said("web.shop.svc.cluster.local") == {"10.100.103.179"}
        assert upstream.requests == []


@pytest.mark.parametrize("scheme", ["https", "tls"])
def test_only_who_asks_over_https_has_imported_http2(tmp_path: Path, scheme: str) -> None:
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HOOK)
    within = ("env", f"PYTHONPATH={hook}", f"KDNS_TEST_IMPORTS={tmp_path / 'imports'}")
    with serving(tmp_path, f"{scheme}://127.0.0.1%dns.example:1", within) as server:
        server.ask("www.example.com")
        found = modules(server, tmp_path)
    http2 = {"h2", "hpack", "hyperframe"} if scheme == "https" else set()
    names = {"controller": found["controller"], "worker": found["worker-0"]} if "worker-0" in found else found
    assert libraries(names["worker"]) - WORKER == http2
    assert libraries(names["controller"]) & {"h2", "hpack", "hyperframe"} == set()
    assert libraries(found["supervisor"]) & {"h2", "hpack", "hyperframe"} == set()
