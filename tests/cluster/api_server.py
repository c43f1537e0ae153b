"""A pure API server for reflectors: answers their requests from a history of watch lines.

Histories are recorded from a real server (transcripts/) or made of short lines by event(). What
a list would say at any point follows from the lines before it. Everything a reflector emits goes
into a Cluster, the plainest store there is.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Delta, Drop, Key, Object, Problem, Put, Reset, Resource, Stamp, Synced
from kdns.cluster.reflector import Reflector, Wait
from kdns.cluster.targets import Request

TRANSCRIPTS = Path(__file__).parent / "transcripts"


def recorded(resource: Resource) -> list[bytes]:
    """The lines of a watch that began with all there was: services and endpointslices of one namespace."""
    return (TRANSCRIPTS / f"{resource}.jsonl").read_bytes().splitlines()


def service(name: str, version: int | str, uid: str = "", ip: str = "10.96.0.1") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"clusterIP": ip, "clusterIPs": [ip]}}


def event(kind: str, content: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": content}).encode()


def bookmark(version: int | str, *, end: bool = False) -> bytes:
    annotations = {"k8s.io/initial-events-end": "true"} if end else {}
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations}})


def page(version: int | str, *items: dict[str, Any], token: str = "") -> bytes:
    return json.dumps({"metadata": {"resourceVersion": str(version), "continue": token}, "items": list(items)}).encode()


def status(code: int, reason: str = "", message: str = "", **details: Any) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


def error(code: int, reason: str = "") -> bytes:
    """An ERROR event."""
    return event("ERROR", json.loads(status(code, reason)))


class Cluster:
    """What deltas add up to."""

    def __init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.synced = 0
        self.resets: list[Reset] = []
        self.deltas: list[Delta] = []
        self.problems: list[Problem] = []

    def stamp(self, key: Key) -> Stamp | None:
        known = self.objects.get(key)
        return known.stamp if known else None

    def apply(self, deltas: Sequence[Delta]) -> None:
        self.deltas += deltas
        for delta in deltas:
            match delta:
                case Put(_, new):
                    self.objects[new.key] = new
                case Drop(_, key):
                    self.objects.pop(key, None)
                case Reset(_, objects, unchanged):
                    self.objects = {key: self.objects[key] for key in unchanged} | {each.key: each for each in objects}
                    self.resets.append(delta)
                case Synced():
                    self.synced += 1

    @property
    def names(self) -> set[str]:
        return {key.name for key in self.objects}


def reflector_of(
    cluster: Cluster,
    resource: Resource = "services",
    *,
    random: Callable[[], float] = lambda: 1.0,
    optional: bool = False,
) -> Reflector:
    return Reflector(
        resource,
        known=cluster.stamp,
        random=random,
        report=cluster.problems.append,
        options=DecodeOptions(),
        optional=optional,
    )


class Player:
    """Plays a history to a reflector, in virtual time. Where streams, a list's second page has expired by then."""

    def __init__(self, lines: Sequence[bytes], resource: Resource = "services", *, streams: bool = True) -> None:
        self.cluster = Cluster()
        self.reflector = reflector_of(self.cluster, resource)
        self.requests: list[str] = []
        self.now = 0.0
        self._streams = streams
        self._limit = 2  # objects on a page
        initial = next(at for at, line in enumerate(lines) if b"initial-events-end" in line)
        self._lines = lines
        self._initial = initial
        self.version = _version(lines[initial])
        self._given = 0  # lines of all watches together

    def play(self, cut_at: int | None = None, how: str = "failed") -> None:
        """Plays to the end; once after cut_at lines the watch is broken off in this way."""
        while True:
            what = self.reflector.next(self.now)
            if isinstance(what, Wait):
                self.now = what.until
            elif what.watch:
                if self._watch(what, cut_at, how):
                    return
            else:
                self._list(what)

    def _watch(self, request: Request, cut_at: int | None, how: str) -> bool:
        """Whether all lines have been given."""
        query = self._query(request)
        if "sendInitialEvents" in query:
            lines = self._stream()
        else:
            lines = [
                line for line in self._lines[self._initial + 1 :] if _version(line) > int(query["resourceVersion"])
            ]
        self.reflector.opened(self.now)
        for line in lines:
            if self._given == cut_at:
                self._given += 1
                self._break(how)
                return False
            self._given += 1
            self.now += 1
            self.version = max(self.version, _version(line))
            self.cluster.apply(self.reflector.line(line, self.now))
        return True

    def _break(self, how: str) -> None:
        match how:
            case "failed":
                self.reflector.failed("reset by peer", self.now)
            case "closed":
                self.reflector.closed(self.now)
            case "silent":
                self.now += self.reflector.idle_s
                self.reflector.silent(self.now)
            case "gone":
                self.cluster.apply(self.reflector.line(error(410, "Expired"), self.now))

    def _list(self, request: Request) -> None:
        query = self._query(request)
        if self._streams and "continue" in query:
            self.reflector.refused(410, status(410, "Expired"), None, self.now)
            return
        items = [json.loads(line)["object"] for line in self._state()]
        start = int(query.get("continue", "0"))
        end = start + min(self._limit, int(query["limit"]))
        token = str(end) if end < len(items) else ""
        for deltas in self.reflector.page(page(self.version, *items[start:end], token=token), self.now):
            self.cluster.apply(deltas)

    def _query(self, request: Request) -> dict[str, str]:
        self.requests.append(request.target)
        return {key: values[0] for key, values in parse_qs(urlsplit(request.target).query).items()}

    def _stream(self) -> list[bytes]:
        """What is there, as ADDED events, and the lines that follow."""
        mark = bookmark(self.version, end=True)
        after = [line for line in self._lines[self._initial + 1 :] if _version(line) > self.version]
        return [*self._state(), mark, *after]

    def _state(self) -> list[bytes]:
        state: dict[str, bytes] = {}
        for line in self._lines:
            seen = json.loads(line)
            name = seen["object"]["metadata"].get("name")
            if seen["type"] == "BOOKMARK" or _version(line) > self.version:
                continue
            state.pop(name, None)
            if seen["type"] != "DELETED":
                state[name] = line.replace(b'"MODIFIED"', b'"ADDED"', 1)
        return list(state.values())


def _version(line: bytes) -> int:
    return int(json.loads(line)["object"]["metadata"]["resourceVersion"])
