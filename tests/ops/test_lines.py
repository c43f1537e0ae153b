"""Lines: whole ones go in, in order, and who doesn't read holds nobody up."""

import asyncio
import functools
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from kdns.ops.lines import WAITING_MAX, Lines

WRITE = 4096  # PIPE_BUF


def looped(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """The test in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: object, **named: object) -> None:
        asyncio.run(test(*arguments, **named))

    return run


async def turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def read_all(fd: int) -> bytes:
    os.set_blocking(fd, False)
    found = b""
    while True:
        try:
            piece = os.read(fd, 1 << 20)
        except BlockingIOError:
            return found
        if not piece:
            return found
        found += piece


@looped
async def test_lines_of_a_turn_are_written_at_its_end() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    lines.add("one\n")
    lines.add("two\nthree\n")
    assert read_all(reader) == b""
    await turn()
    assert read_all(reader) == b"one\ntwo\nthree\n"
    assert (lines.written, lines.dropped) == (3, 0)
    lines.close()
    os.close(reader)
    os.close(writer)


@looped
async def test_a_pipe_that_nobody_reads_fills_and_then_lines_are_dropped_and_counted() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    count = 2 * WAITING_MAX // 100
    for number in range(count):
        lines.add(f"{number:099d}\n")
        if number % 1000 == 0:
            await turn()
    await turn()
    held = WAITING_MAX // 100
    assert 0 < lines.dropped < count - held
    found = b""
    while lines.written + lines.dropped < count:
        found += read_all(reader)
        await asyncio.sleep(0.001)
    found += read_all(reader)
    kept = found.splitlines()
    assert len(kept) == lines.written == count - lines.dropped
    assert all(len(line) == 99 for line in kept)
    assert kept == sorted(kept)
    lines.close()
    os.close(reader)
    os.close(writer)


@looped
async def test_the_stream_of_others_still_blocks() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    assert os.get_blocking(writer)
    lines.close()
    assert os.write(writer, b"x") == 1
    os.close(reader)
    os.close(writer)


@looped
async def test_a_line_longer_than_a_write_is_cut_and_the_next_is_whole() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    lines.add(f"{'x' * 5000}\nnext\n")
    await turn()
    assert read_all(reader) == b"x" * (WRITE - 1) + b"\nnext\n"
    lines.close()
    os.close(reader)
    os.close(writer)


@looped
async def test_without_a_reader_lines_are_dropped() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    os.close(reader)
    lines.add("one\n")
    await turn()
    assert (lines.written, lines.dropped) == (0, 1)
    lines.close()
    os.close(writer)


@looped
async def test_what_waits_when_closed_is_counted_as_dropped() -> None:
    reader, writer = os.pipe()
    lines = Lines(writer, asyncio.get_running_loop())
    for _ in range(1000):
        lines.add(f"{'x' * 199}\n")
    lines.close()
    assert lines.dropped + lines.written == 1000
    assert lines.dropped > 0
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("kind", ["file", "socket"])
@looped
async def test_files_and_sockets_take_lines_too(kind: str, tmp_path: Path) -> None:
    one, other = socket.socketpair()
    path = tmp_path / "out"
    with path.open("ab") as file:
        file.write(b"before\n")
        file.flush()
        lines = Lines(file.fileno() if kind == "file" else one.fileno(), asyncio.get_running_loop())
        lines.add("one\n")
        await turn()
        lines.close()
    assert (path.read_bytes() if kind == "file" else other.recv(100)).endswith(b"one\n")
    assert lines.written == 1
    one.close()
    other.close()
