"""The table of sins: what an API server, or what stands before it, does wrong, by the number of the fault.

Each is a Sin of faulty_api; those that take arguments are made for a test. What needs no sin, such as a server that is
killed or has forgotten its history, is a method of FaultyApi.
"""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.faults.faulty_api import Ask, Change, FaultyApi, Json, Reply, Sin, refusal, status


@dataclass
class ExpiresInStream(Sin):
    """K07: what is compacted is told by an ERROR event of a watch that was accepted."""

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if not ask.watch or ask.since is None or ask.since >= api.expired:
            return None
        event = json.dumps({"type": "ERROR", "object": status(410, "Expired")}).encode() + b"\n"
        return Reply(200, event)


@dataclass
class ClosesSoon(Sin):
    """K08: each watch ends cleanly after a second."""

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if ask.watch:
            ask.query["timeoutSeconds"] = "1"
        return None


@dataclass
class Loses(Sin):
    """K13, K14, K27: nothing is told of changes, at most so many, that are of these kinds."""

    most: int = 1_000_000
    kinds: tuple[str, ...] = ("ADDED", "MODIFIED", "DELETED")
    means: Callable[[Ask], bool] = lambda _: True

    def lines(self, api: FaultyApi, ask: Ask, change: Change, line: bytes) -> Iterable[bytes]:
        if change.kind not in self.kinds or not self.most or not self.means(ask):
            return (line,)
        self.most -= 1
        return ()


@dataclass
class Repeats(Sin):
    """K11, K12: each change is told again, or what was told before it is told again behind it."""

    before: bool = False
    told: dict[str, bytes] = field(default_factory=dict)

    def lines(self, api: FaultyApi, ask: Ask, change: Change, line: bytes) -> Iterable[bytes]:
        earlier = self.told.get(change.object["metadata"]["name"], line)
        self.told[change.object["metadata"]["name"]] = line
        return (line, earlier) if self.before else (line, line)


@dataclass
class Refuses(Sin):
    """K22, K25, K28, K31 to K34: requests that are meant are refused so, at most so many."""

    reply: Reply
    means: Callable[[Ask], bool] = lambda _: True
    most: int = 1_000_000
    times: list[float] = field(default_factory=list)

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if not self.means(ask) or len(self.times) >= self.most:
            return None
        self.times.append(ask.at)
        return self.reply


@dataclass
class Miscounts(Sin):
    """K23: remainingItemCount lies, and a page with a token may be empty."""

    def page(self, api: FaultyApi, ask: Ask, page: Json) -> Json:
        page["metadata"]["remainingItemCount"] = -7
        if "limit" in ask.query and "continue" not in ask.query and ask.query["limit"] != "1":
            return {
                "metadata": {**page["metadata"], "continue": f"{page['metadata']['resourceVersion']}:0"},
                "items": [],
            }
        return page


@dataclass
class ListsThePast(Sin):
    """K24, K36: some replicas list what was there at some time, with the version of that time."""

    resource: str
    past: Json
    most: int = 1_000_000

    def page(self, api: FaultyApi, ask: Ask, page: Json) -> Json:
        if ask.resource != self.resource or not self.most:
            return page
        self.most -= 1
        return self.past


@dataclass
class Hangs(Sin):
    """K09, K35: connections that are meant are taken, and nothing is answered."""

    means: Callable[[Ask], bool] = lambda _: True

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if self.means(ask):
            await asyncio.Event().wait()
        return None


@dataclass
class Dawdles(Sin):
    """K04: each answer takes its time."""

    wait_s: float

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        await asyncio.sleep(self.wait_s)
        return None


@dataclass
class Cuts(Sin):
    """K05: of lists that are meant comes a half, and then the end of the connection."""

    means: Callable[[Ask], bool]
    times: list[float] = field(default_factory=list)

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if not self.means(ask):
            return None
        self.times.append(ask.at)
        whole = json.dumps({"metadata": {"resourceVersion": str(api.version)}, "items": []}).encode()
        writer.write(b"HTTP/1.1 200 So\r\nContent-Length: %d\r\n\r\n%s" % (len(whole), whole[: len(whole) // 2]))
        await writer.drain()
        raise ConnectionResetError


@dataclass
class Resets(Sin):
    """K36: connections that are meant are reset."""

    means: Callable[[Ask], bool] = lambda _: True

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if self.means(ask):
            raise ConnectionResetError
        return None


@dataclass
class Bombs(Sin):
    """K49: the first list is little gzip that inflates to 100 MiB."""

    left: int = 1

    async def request(self, api: FaultyApi, ask: Ask, writer: asyncio.StreamWriter) -> Reply | None:
        if ask.watch or not self.left:
            return None
        self.left -= 1
        return Reply(200, gzip.compress(b'{"items":[' + bytes(100 << 20), 9), ("Content-Encoding: gzip",))


@dataclass
class Spoils(Sin):
    """K48, K50: the octets of changes of one object are changed on their way."""

    name: str
    change: Callable[[bytes], bytes]
    most: int = 1_000_000

    def lines(self, api: FaultyApi, ask: Ask, change: Change, line: bytes) -> Iterable[bytes]:
        if change.object["metadata"]["name"] != self.name or not self.most:
            return (line,)
        self.most -= 1
        return (self.change(line),)


@dataclass
class Trickles(Sin):
    """K51: of a watch comes an octet a second."""

    def pieces(self, api: FaultyApi, ask: Ask, octets: bytes) -> Iterable[tuple[float, bytes]]:
        return ((1.0, bytes((octet,))) for octet in octets)


SINS: dict[str, Callable[..., Sin]] = {
    "K04": Dawdles,
    "K05": Cuts,
    "K07": ExpiresInStream,
    "K08": ClosesSoon,
    "K11": Repeats,
    "K12": lambda: Repeats(before=True),
    "K13": lambda: Loses(1, ("ADDED",)),
    "K14": lambda: Loses(1, ("DELETED",)),
    "K22": lambda: Refuses(refusal(410, "Expired"), lambda ask: "continue" in ask.query, most=1),
    "K23": Miscounts,
    "K24": ListsThePast,
    "K25": lambda: Refuses(
        refusal(504, "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}]), lambda ask: ask.watch, most=2
    ),
    "K27": Loses,
    "K31": lambda: Refuses(refusal(403, "Forbidden"), lambda ask: ask.resource == "endpointslices"),
    "K32": lambda: Refuses(refusal(403, "Forbidden"), lambda ask: ask.resource == "pods"),
    "K33": lambda: Refuses(refusal(404, "NotFound"), lambda ask: ask.resource == "pods"),
    "K34": lambda code, *headers: Refuses(refusal(code, "", *headers), most=3),
    "K35": Hangs,
    "K36": Resets,
    "K48": Spoils,
    "K49": Bombs,
    "K50": lambda: Spoils("web", lambda line: line.replace(b'"10.96.0.9"', b'"\xff\xfe"'), most=1),
    "K51": Trickles,
}
