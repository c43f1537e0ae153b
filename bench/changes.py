"""Changes: how long after the API server's reply to a change a server answers by it.

Writers put EndpointSlices of headless Services at a steady rate, each time with an address that
was never there before. From the moment the API server has replied, the name is asked until an
answer has the address. There are several writers, so that one slow answer doesn't delay the next
change; a writer that is late all the same shows in the rate reached.
"""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Self

from bench.api import NAMESPACE, Api
from bench.cluster import CHANGED, changed_name
from bench.load import percentiles
from bench.questions import ZONE
from tests.lab import Lab

RATE: Final = 100  # changes per second
_WRITERS: Final = 5
_PATIENCE_S: Final = 5.0  # after which a change counts as not answered
# Between two questions for the same change: what is asked must not be what is measured.
_PAUSE_S: Final = 0.0002


@dataclass(frozen=True, slots=True)
class Changes:
    """What came of a run."""

    changes: int
    unanswered: int  # within the patience
    rate: float  # changes per second, as reached
    seen_ms: dict[str, float]  # percentiles, from the API server's reply to the first answer that has it
    written_ms: dict[str, float]  # percentiles, from the request to the API server's reply


class Churn:
    """Changes at a steady rate while this is entered; each is looked for in the answers at the port, if there is one.

    An instance is entered once.
    """

    def __init__(self, lab: Lab, port: int | None, rate: int = RATE) -> None:
        self._lab = lab
        self._port = port
        self._interval_s = _WRITERS / rate
        self._over = threading.Event()
        self._failures: list[BaseException] = []
        self._seen: list[float] = []
        self._written: list[float] = []
        self._unanswered = 0
        self._started = self._ended = 0.0
        self._threads = [threading.Thread(target=self._write, args=(turn,), daemon=True) for turn in range(_WRITERS)]

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._ended = time.monotonic()

    def result(self) -> Changes:
        """What came of it, after the exit. Raises what a writer has failed with."""
        if self._failures:
            raise self._failures[0]
        return Changes(
            changes=len(self._written),
            unanswered=self._unanswered,
            rate=len(self._written) / (self._ended - self._started),
            seen_ms=percentiles(each * 1e3 for each in self._seen),
            written_ms=percentiles(each * 1e3 for each in self._written),
        )

    def _write(self, turn: int) -> None:
        """One writer: its own connection, its own Services."""
        try:
            with Api(self._lab) as api:
                due = self._started + turn * self._interval_s / _WRITERS
                number = turn
                while not self._over.wait(max(0.0, due - time.monotonic())):
                    self._change(api, number % CHANGED)
                    number += _WRITERS
                    # Late changes aren't made up for in a burst.
                    due = max(due + self._interval_s, time.monotonic() - self._interval_s)
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            self._failures.append(error)

    def _change(self, api: Api, number: int) -> None:
        name, address = changed_name(number), _fresh_address()
        start = time.monotonic()
        api.change(name, [str(address), "10.63.255.254", "10.63.255.253"])
        replied = time.monotonic()
        self._written.append(replied - start)
        if self._port is None:
            return
        if first_answer(self._port, name, address, replied + _PATIENCE_S):
            self._seen.append(time.monotonic() - replied)
        else:
            self._unanswered += 1


def first_answer(port: int, name: str, address: IPv4Address, until: float) -> bool:
    """Asks for the Service until an answer has the address, and returns at once then; False when the time has come."""
    question = _question(f"{name}.{NAMESPACE}.svc.{ZONE}")
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.25)
        sock.connect(("127.0.0.1", port))
        while time.monotonic() < until:
            try:
                sock.send(question)
                if address.packed in sock.recv(4096):
                    return True
            except OSError:  # lost, or nobody listens just now
                continue
            time.sleep(_PAUSE_S)
    return False


def change_once(api: Api) -> tuple[str, IPv4Address]:
    """Makes one change; the Service's name and the address that is new."""
    name, address = changed_name(0), _fresh_address()
    api.change(name, [str(address)])
    return name, address


def _addresses() -> Callable[[], IPv4Address]:
    """Addresses that were never given before, to any thread."""
    lock = threading.Lock()
    given = int(IPv4Address("10.48.0.0"))

    def give() -> IPv4Address:
        nonlocal given
        with lock:
            given += 1
            return IPv4Address(given)

    return give


_fresh_address: Final = _addresses()


def _question(name: str) -> bytes:
    """A question for A of the name (RFC 1035 section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 0x4242, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!xHH", 1, 1)
