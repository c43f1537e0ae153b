"""Forwarding for kdns dev: ways to the cluster's Services, by loopback addresses and tunnels to ready pods.

A process of its own, told by the server (steps.forwarding) of each address that it is about to answer: it opens the
Service's ports there. Which pods are ready is asked for with each connection, so that one that is gone is replaced by another. When
kdns dev ends, so does the process, with all that is open.
"""

import asyncio
import json
import os
import random
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from kdns.cluster.objects import SERVICE_LABEL, Key
from kdns.config.settings import ClusterSource
from kdns.dev.listeners import Listeners
from kdns.dev.process import Process
from kdns.dev.relay import relay
from kdns.sources.api.account import account_of
from kdns.sources.api.asking import Asking
from kdns.sources.credentials import Account, Credentials
from kdns.sources.errors import SourceError
from kdns.steps.forwarding import MESSAGE_BYTES, Place
from kdns.zone import dashed

_ASK_S: Final = 10.0
_STOP_S: Final = 5.0
_TCP: Final = "TCP"
_HEADLESS: Final = "None"


class Endpoint(NamedTuple):
    """A port of a pod that is ready."""

    pod: Key
    port: int
    labels: tuple[str, ...]  # by which it is known: its hostname, and its address in dashes


@contextmanager
def forwarding(end: socket.socket, source: ClusterSource) -> Iterator[None]:
    """Meanwhile somebody listens for what comes in at this end of a socket pair. This process must have one thread."""
    reader, writer = os.pipe()  # ends with the last who has it, however that comes

    def run() -> int:
        os.close(writer)
        asyncio.run(_Forwarder(end, source).run(reader))
        return 0

    process = Process.fork(run)
    os.close(reader)
    try:
        yield
    finally:
        os.close(writer)
        process.end(_STOP_S)


class _Forwarder:
    def __init__(self, end: socket.socket, source: ClusterSource) -> None:
        self._end = end
        self._source = source
        self._listeners = Listeners(self._serve)
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: dict[Place, str] = {}

    async def run(self, life: int) -> None:
        """Until the pipe life ends."""
        self._loop = asyncio.get_running_loop()
        self._account: Account = account_of(self._source, os.environ)
        self._lock = asyncio.Lock()  # one question at a time over one connection
        ended = asyncio.Event()
        self._loop.add_reader(life, ended.set)
        self._end.setblocking(False)
        self._loop.add_reader(self._end, self._hear)
        with closing(Asking(self._account)) as self._asking:
            await ended.wait()

    # What the server says

    def _hear(self) -> None:
        message = self._end.recv(MESSAGE_BYTES)
        task = self._loop.create_task(self._open(json.loads(message)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, message: list[str]) -> None:
        *words, host = message
        target, error = Place(*words), ""
        try:
            async with asyncio.timeout(_ASK_S):
                told = self._listeners.open(host, await self._ports(target), target)
            for line in told:
                _say(f"{target}: {line}")
        except (SourceError, TimeoutError) as fault:
            error = str(fault) or f"the API server said nothing within {_ASK_S:g} s"
        self._end.send(json.dumps([*message, error]).encode())

    async def _ports(self, target: Place) -> list[int]:
        """Those that are listened on: the Service's, and what a headless one's pods have. Raises SourceError."""
        async with self._lock:
            service = await self._asking.one("services", Key(target.namespace, target.service))
        if service is None:
            raise SourceError(f"there is no Service {target.namespace}/{target.service}")
        spec = service.get("spec") or {}
        ports = [each for each in spec.get("ports") or () if isinstance(each, dict)]
        found = {int(each["port"]) for each in ports if each.get("protocol", _TCP) == _TCP}
        for each in ports:
            if each.get("protocol", _TCP) != _TCP:
                self._tell(target, f"port {each['port']} is of {each['protocol']}, and only TCP can be forwarded")
        if spec.get("clusterIP") == _HEADLESS:
            found |= {number for _, number in _numbers(await self._slices(target))}
        return sorted(found)

    async def _slices(self, target: Place) -> list[Any]:
        async with self._lock:
            return await self._asking.labelled("endpointslices", target.namespace, {SERVICE_LABEL: target.service})

    # Connections, each in a thread of its own

    def _serve(self, client: socket.socket, whose: Any, port: int) -> None:
        target: Place = whose
        from kdns.sources.api.tunnel import Tunnel, TunnelError  # noqa: PLC0415 - it takes a while, once

        with client:
            try:
                asked = asyncio.run_coroutine_threadsafe(self._ways(target, port), self._loop)
                credentials, endpoints = asked.result(_ASK_S)
                ways = (partial(Tunnel.open, credentials, each.pod, each.port) for each in endpoints)
                relay(client, ways, TunnelError)
            except (SourceError, TimeoutError) as error:
                why = str(error) or f"the API server said nothing within {_ASK_S:g} s"
                self._tell(target, f"port {port}: {why}")

    async def _ways(self, target: Place, port: int) -> tuple[Credentials, list[Endpoint]]:
        """Where a connection may lead, in the order in which it is tried. Raises SourceError."""
        async with self._lock:
            service = await self._asking.one("services", Key(target.namespace, target.service))
        names = _names((service or {}).get("spec") or {}, port)
        slices = await self._slices(target)
        found = [each for each in _endpoints(slices, names, port) if target.endpoint in ("", *each.labels)]
        random.shuffle(found)
        return await self._account.credentials(), found

    def _tell(self, target: Place, text: str) -> None:
        """Says it, unless it was the last that was said of it."""
        if self._said.get(target) != text:
            self._said[target] = text
            _say(f"{target}: {text}")


def _say(text: str) -> None:
    sys.stderr.write(f"kdns dev: {text}\n")
    sys.stderr.flush()


def _names(spec: dict[str, Any], port: int) -> list[str] | None:
    """The names of a Service's port of that number; None where it has none, as a headless one may."""
    ports = [each for each in spec.get("ports") or () if each.get("protocol", _TCP) == _TCP]
    found = [str(each.get("name") or "") for each in ports if each.get("port") == port]
    return found or None


def _numbers(slices: Sequence[Any]) -> set[tuple[str, int]]:
    """Names and numbers of the pods' ports."""
    ports = [port for each in slices for port in each.get("ports") or () if port.get("protocol", _TCP) == _TCP]
    return {(str(port.get("name") or ""), int(port["port"])) for port in ports if port.get("port")}


def _endpoints(slices: Sequence[Any], names: list[str] | None, port: int) -> Iterator[Endpoint]:
    """The ready pods, each once, and where the port of these names is there, or that of the number where there are none."""
    seen: set[Key] = set()
    for each in slices:
        numbers = [number for name, number in _numbers([each]) if (name in names if names else number == port)]
        for endpoint in each.get("endpoints") or ():
            pod = _pod(endpoint, str((each.get("metadata") or {}).get("namespace", "")))
            if numbers and pod is not None and pod not in seen:
                seen.add(pod)
                addresses = [str(address) for address in endpoint.get("addresses") or ()]
                labels = (endpoint.get("hostname"), *map(_label, addresses))
                yield Endpoint(pod, numbers[0], tuple(filter(None, labels)))


def _label(address: str) -> str:
    """The label of an endpoint that has no hostname; empty for what is no address."""
    try:
        return dashed.write(ip_address(address).packed).decode()
    except ValueError:
        return ""


def _pod(endpoint: dict[str, Any], namespace: str) -> Key | None:
    """The pod that a ready endpoint is; None for any other."""
    ready = (endpoint.get("conditions") or {}).get("ready")
    target = endpoint.get("targetRef") or {}
    if ready is False or target.get("kind") != "Pod":
        return None
    return Key(str(target.get("namespace") or namespace), str(target.get("name", "")))
