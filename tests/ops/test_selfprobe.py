"""The self-probe: what it tells of a listener that answers, that answers badly, and of none."""

import asyncio
import socket
from contextlib import suppress

import pytest

from kdns.ops.listener import serve_http
from kdns.ops.selfprobe import SelfProbe
from tests.serve.conversation import until, virtually

TOOK, FAILED = "coredns_health_request_duration_seconds", ("coredns_health_request_failures_total", ())


def listening(host: str = "127.0.0.1") -> socket.socket:
    return socket.create_server((host, 0))


async def probed(times: int, host: str, port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    probe = SelfProbe()
    running = asyncio.ensure_future(probe.run(host, port))
    await until(lambda: probe.counts()[f"{TOOK}_count", ()] == times)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    return dict(probe.counts())


async def counted(status: int, *, wildcard: bool = False) -> dict[tuple[str, tuple[str, ...]], float]:
    sock = listening("0.0.0.0" if wildcard else "127.0.0.1")
    serving = asyncio.ensure_future(serve_http(sock, {"/health": lambda _: (status, "text/plain", b"OK")}))
    found = await probed(3, *sock.getsockname())
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    return found


@pytest.mark.parametrize("wildcard", [False, True])
@virtually
async def test_answers_are_timed(wildcard: bool) -> None:
    found = await counted(200, wildcard=wildcard)
    assert (found[f"{TOOK}_bucket", ("2.5",)], found[FAILED]) == (3, 0)


@virtually
async def test_what_is_no_good_answer_is_a_failure_and_timed_as_well() -> None:
    found = await counted(500)
    assert (found[f"{TOOK}_count", ()], found[FAILED]) == (3, 3)


@virtually
async def test_nobody_there_is_a_failure() -> None:
    with listening() as sock:
        place = sock.getsockname()
    assert (await probed(2, *place))[FAILED] == 2


@virtually
async def test_one_that_never_answers_is_waited_for_three_seconds() -> None:
    with listening() as sock:
        found = await probed(1, *sock.getsockname())
    assert found[FAILED] == 1
    assert found[f"{TOOK}_sum", ()] == pytest.approx(3.0)
