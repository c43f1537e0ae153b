"""A supervisor with real children, seen from outside.

The supervisor is forked from the test. Its children answer commands over UDP; they and its
log write what happens into one pipe, a line each, whose end says that no process is left.
"""

import asyncio
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from kdns.config.settings import Address
from kdns.serve.configuration import Attempt, Configuration, read_coming, read_news
from kdns.serve.control import (
    CHANGED,
    COMING,
    NEWS,
    PAGE,
    PREPARED,
    SERVE,
    WARM,
    Control,
    ControllerStart,
    Order,
    WorkerStart,
)
from kdns.serve.listening import Listening
from kdns.serve.supervisor import Limits, Parts, supervise

DEADLINE_S = 20.0  # of the test, for what takes milliseconds; the machine may be slow
PATIENT = Limits(worker_silence_s=60, controller_silence_s=60, stop_s=60)


class Journal:
    """The writing end of the pipe, and a log."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, event: str, **keys: object) -> None:
        os.write(self.fd, json.dumps({"event": event, **keys}, default=str).encode() + b"\n")  # atomic, being short

    info = warning = error = exception = write


class Child:
    """A worker or a controller: beats, and knows the process at the other end of each channel it was given."""

    def __init__(self, control: socket.socket, slot: int | None, journal: Journal) -> None:
        self.slot = slot
        self.journal = journal
        self.loop = asyncio.get_running_loop()
        self.stopped = asyncio.Event()
        self.channels: dict[int, socket.socket] = {}
        self.restarts: dict[int, int] = {}  # as told with the channel
        self.served: list[socket.socket] = []
        self.slow: list[tuple[socket.socket, tuple[str, int]]] = []
        self.loop.add_signal_handler(signal.SIGTERM, self.stopped.set)
        self.ordered = asyncio.Event()
        self.control = Control(
            control, self.loop, on_channel=self.connected, on_order=self.order, on_lost=self.lost, beat_s=0.1
        )

    def order(self, order: Order) -> None:
        """Tells of it in the journal, with what comes by its descriptor."""
        told: dict[str, object] = {}
        if order.kind == COMING:
            told = {"coming": read_coming(order.descriptor)._asdict()}
        elif order.kind == NEWS:
            told = {"news": read_news(order.descriptor)._asdict()}
        elif order.kind == PAGE:
            with socket.socket(fileno=os.dup(order.descriptor)) as page:
                told = {"at": page.getsockname()}
        if order.descriptor >= 0:
            os.close(order.descriptor)
        if order.kind == SERVE:
            self.ordered.set()
        self.tell("ordered", kind=order.kind.decode(), generation=order.generation, **told)

    def connected(self, slot: int, restarts: int, channel: socket.socket, generation: int) -> None:
        slot += 100 * (generation - 1)  # of the first, the slot itself
        self.disconnect(slot)
        self.channels[slot] = channel
        self.restarts[slot] = restarts
        channel.send(str(os.getpid()).encode())
        self.loop.add_reader(channel, self.heard, slot, channel)

    def heard(self, slot: int, channel: socket.socket) -> None:
        octets = b""
        with suppress(ConnectionResetError):  # an end killed with something unread
            octets = channel.recv(100)
        if octets:
            self.tell("channel", channel=slot, peer=int(octets), restarts=self.restarts[slot])
        else:
            self.tell("channel_ended", channel=slot)
            self.disconnect(slot)

    def disconnect(self, slot: int) -> None:
        channel = self.channels.pop(slot, None)
        if channel is not None:
            self.loop.remove_reader(channel)
            channel.close()

    def lost(self) -> None:
        self.tell("supervisor_lost")
        self.stopped.set()

    def tell(self, event: str, **keys: object) -> None:
        self.journal.write(event, slot=self.slot, pid=os.getpid(), **keys)

    def serve(self, sock: socket.socket) -> None:
        self.served.append(sock)
        self.loop.add_reader(sock, self.obey, sock)

    def obey(self, sock: socket.socket) -> None:
        octets, client = sock.recvfrom(100)
        command, _, argument = octets.decode().partition(" ")
        match command:
            case "hang":
                signal.pause()
            case "deaf":
                self.loop.remove_signal_handler(signal.SIGTERM)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "exit":
                os._exit(int(argument))
            case "renew":
                self.disconnect(self.slot or 0)
                self.control.renew()
            case "change":
                self.control.say(CHANGED)
            case "slow":  # answered once it was told to stop
                self.slow.append((sock, client))
        if command != "slow":
            sock.sendto(b"%d %s" % (os.getpid(), octets), client)

    async def finished(self) -> int:
        await self.stopped.wait()
        for sock, client in self.slow:
            await asyncio.sleep(0.1)
            sock.sendto(b"%d slow" % os.getpid(), client)
        for sock in self.served:  # the loop goes round once more before it ends
            self.loop.remove_reader(sock)
        self.tell("finished")
        return 0


def run_worker(start: WorkerStart, journal: Journal) -> int:
    async def run() -> int:
        child = Child(start.control, start.slot, journal)
        child.control.say(PREPARED)
        child.control.say(WARM)
        if not start.at_once:
            await child.ordered.wait()
        child.tell("serves", generation=start.generation, seen=start.seen, at_once=start.at_once)
        for sock in start.udp:
            child.serve(sock)
        return await child.finished()

    return asyncio.run(run())


def run_controller(start: ControllerStart, journal: Journal) -> int:
    async def run() -> int:
        child = Child(start.control, None, journal)
        child.tell("ops", names=sorted(start.ops), workers=start.workers, seen=start.seen, news=start.news._asdict())
        return await child.finished()

    return asyncio.run(run())


class Running:
    """A supervisor in a process of its own, seen from outside."""

    def __init__(self, pid: int, port: int, pipe: int) -> None:
        self.pid = pid
        self.port = port
        self.pipe = pipe
        self.happened: list[dict[str, Any]] = []
        self.seen = 0  # how many of them a test has waited for
        self.rest = b""
        self.ended = False
        self.status: int | None = None

    def wait(self, event: str, **keys: object) -> dict[str, Any]:
        """The next such event after the last one waited for."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for at in range(self.seen, len(self.happened)):
                if matches(self.happened[at], {"event": event, **keys}):
                    self.seen = at + 1
                    return self.happened[at]
            self.seen = len(self.happened)
            assert not self.ended, f"no {event} {keys} among {self.happened}"
            self.read(deadline)

    def have(self, event: str, **keys: object) -> list[dict[str, Any]]:
        """All such events up to now."""
        return [each for each in self.happened if matches(each, {"event": event, **keys})]

    def read(self, deadline: float) -> None:
        ready, _, _ = select.select([self.pipe], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more happens after {self.happened}"
        octets = os.read(self.pipe, 65536)
        self.ended = not octets
        *lines, self.rest = (self.rest + octets).split(b"\n")
        self.happened += [json.loads(line) for line in lines]

    def start(self, workers: int = 1) -> tuple[int, list[int]]:
        """Waits for every channel; the process ids of the controller and of the workers."""
        slots = [self.wait_for_channel(slot) for slot in range(workers)]
        return slots[0]["peer"], [each["pid"] for each in slots]

    def wait_for_channel(self, slot: int) -> dict[str, Any]:
        self.seen = 0
        return self.wait("channel", slot=slot, channel=slot)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def exit_status(self) -> int:
        """Waits for the supervisor's end; negative where a signal was its end."""
        if self.status is None:
            deadline = time.monotonic() + DEADLINE_S
            while not self.ended:
                self.read(deadline)
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def clear_away(self) -> None:
        if self.status is None:
            with suppress(ProcessLookupError):
                self.kill(signal.SIGKILL)
            for each in self.have("process_started"):  # one that is stopped can't see that its supervisor is gone
                with suppress(ProcessLookupError):
                    os.kill(each["pid"], signal.SIGCONT)
            self.exit_status()
        os.close(self.pipe)


def matches(happened: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(happened.get(key, ...) == value for key, value in wanted.items())


HERE = Address("127.0.0.1", 0)
BEGUN = Configuration((HERE,), ops=(("health", HERE),), digest="d1", seen="one")


def nothing() -> Attempt:
    raise AssertionError("nobody asked for this")


@contextmanager
def supervised(
    limits: Limits = PATIENT,
    workers: int = 1,
    worker: Callable[[WorkerStart, Journal], int] = run_worker,
    controller: Callable[[ControllerStart, Journal], int] = run_controller,
    read: Callable[[], Attempt] | None = nothing,
) -> Iterator[Running]:
    listening = Listening(workers)
    opened = listening.open(BEGUN)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            os.close(reader)
            journal = Journal(writer)
            parts = Parts(
                worker=partial(worker, journal=journal),  # type: ignore[call-arg]
                controller=partial(controller, journal=journal),  # type: ignore[call-arg]
                prepare=lambda: journal.write("prepared"),
                read=read,
            )
            status = supervise(BEGUN, listening, parts, limits=limits, log=journal)
        finally:
            os._exit(status)
    os.close(writer)
    listening.keep([])
    running = Running(pid, opened.listen[0].port, reader)
    try:
        yield running
    finally:
        running.clear_away()


@contextmanager
def client(running: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(DEADLINE_S)
        sock.connect(("127.0.0.1", running.port))
        yield sock


def ask(sock: socket.socket, text: str) -> int:
    """Sends a command; the process that answered."""
    sock.send(text.encode())
    return answer(sock, text)


def answer(sock: socket.socket, text: str) -> int:
    pid, _, echo = sock.recv(100).decode().partition(" ")
    assert echo == text
    return int(pid)
