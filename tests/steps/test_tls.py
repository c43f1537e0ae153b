"""Upstreams over TLS: whose certificates are believed, and what happens where one isn't. U20 of robustness."""

import asyncio
import random
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kdns.config.directives.forward import Certificates
from kdns.config.directives.forward import Forward as Settings
from kdns.config.endpoints import Upstream as Target
from kdns.config.kinds import FilePath
from kdns.dns import names
from kdns.steps.chain import Failed, Relayed
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.certificates import Made, Pair
from tests.steps.forwarding import Asked, Noted, said
from tests.steps.upstream_of_sins import answer


class Server:
    """Answers by TLS, in the order asked, and counts."""

    def __init__(self) -> None:
        self.connections = 0
        self.heard: list[bytes] = []
        self.names: list[str | None] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                self.heard.append(query)
                octets = answer(query, 1)
                writer.write(len(octets).to_bytes(2, "big") + octets)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    pair: Pair, *, clients: Pair | None = None, highest: ssl.TLSVersion | None = None
) -> AsyncIterator[Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.certificate)
    if highest is not None:
        warnings.simplefilter("ignore", DeprecationWarning)  # of the version; undone after the test
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = highest
        context.set_ciphers("ALL:@SECLEVEL=0")
    server = Server()
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, _context: None
    )  # handshakes that fail here are meant to
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0.1)


def certificates(authority: Pair, client: Pair | None = None) -> Certificates:
    believed = Certificates(authorities=FilePath(str(authority.certificate)))
    if client is None:
        return believed
    return believed._replace(certificate=FilePath(str(client.certificate)), key=FilePath(str(client.key)))


def to(port: int, tls: Certificates | None, server_name: str = "", **settings: Any) -> Settings:
    target = Target("address", "127.0.0.1", "tls", port, server_name)
    return Settings(origin=(names.ROOT,), upstreams=(target,), tls=tls, **settings)


def ask(settings: Settings) -> Forward:
    return Forward(settings, loop=asyncio.get_running_loop(), random=random.SystemRandom(), log=Noted())


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(scene())


def why(asked: Asked) -> str:
    (outcome,) = asked.outcomes
    assert isinstance(outcome, Failed)
    assert outcome.error is not None
    return outcome.error.text


@pytest.mark.parametrize("way", ["tls_servername", "IP%NAME", "address"])
def test_a_certificate_for_the_name_or_address_is_believed(made: Made, way: str) -> None:
    async def scene() -> None:
        async with serving(made.addressed if way == "address" else made.named) as server:
            own = "dns.example" if way == "IP%NAME" else ""
            general = "dns.example" if way == "tls_servername" else ""
            forward = ask(to(server.port, certificates(made.authority), own, tls_server_name=general))
            asked = [Asked(forward) for _ in range(5)]
            assert {said(await each.outcome()) for each in asked} == {"from 1"}
            assert (server.connections, len(server.heard)) == (1, 5)
            assert server.names == [None if way == "address" else "dns.example"]
            forward.close()

    played(scene)


@pytest.mark.parametrize(
    ("sin", "words"),
    [
        ("name", "certificate not believed: Hostname mismatch"),
        ("address", "certificate not believed: IP address mismatch"),
        ("expired", "certificate not believed: certificate has expired"),
        ("authority", "certificate not believed: unable to get local issuer certificate"),
        ("TLS 1.1", "127.0.0.1"),
        ("no certificate file", "can't use /nowhere/ca.pem: No such file or directory"),
        ("plain", "closed before the answer"),
    ],
)
def test_u20_what_is_not_believed_is_asked_nothing(made: Made, sin: str, words: str) -> None:
    async def scene() -> None:
        pair = made.expired if sin == "expired" else made.named
        highest = ssl.TLSVersion(0x0302) if sin == "TLS 1.1" else None
        async with serving(pair, highest=highest) as server:
            name = {"name": "other.example", "address": "", "expired": "old.example"}.get(sin, "dns.example")
            believed = certificates(made.stranger if sin == "authority" else made.authority)
            if sin == "no certificate file":
                believed = Certificates(authorities=FilePath("/nowhere/ca.pem"))
            forward = ask(to(server.port, believed, name))
            if sin == "plain":
                forward = ask(
                    Settings(
                        origin=(names.ROOT,),
                        upstreams=(Target("address", "127.0.0.1", "dns", server.port),),
                        force_tcp=True,
                    )
                )
            asked = Asked(forward)
            await asked.outcome()
            assert words in why(asked)
            assert server.heard == []
            forward.close()

    played(scene)


def test_u20_a_handshake_that_stands_still_is_a_try_that_timed_out(made: Made) -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            forward = ask(to(deaf.getsockname()[1], certificates(made.authority), "dns.example"))
            asked = Asked(forward)
            assert said(await asked.outcome()) == "failed SERVFAIL"
            assert asked.at == 4.0
            forward.close()

    played(scene)


@pytest.mark.parametrize("shown", [True, False])
def test_the_clients_certificate_is_shown(made: Made, shown: bool) -> None:
    async def scene() -> None:
        async with serving(made.named, clients=made.authority) as server:
            forward = ask(to(server.port, certificates(made.authority, made.client if shown else None), "dns.example"))
            outcome = await Asked(forward).outcome()
            assert said(outcome) == ("from 1" if shown else "failed SERVFAIL")
            assert len(server.heard) == shown
            forward.close()

    played(scene)


def test_files_that_have_changed_are_read_for_the_next_connection(made: Made, tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "ca.pem"
        file.write_bytes(made.stranger.certificate.read_bytes())
        async with serving(made.named) as server:
            forward = ask(to(server.port, Certificates(authorities=FilePath(str(file))), "dns.example"))
            assert said(await Asked(forward).outcome()) == "failed SERVFAIL"
            renewed = tmp_path / "new"
            renewed.write_bytes(made.authority.certificate.read_bytes())
            renewed.rename(file)
            assert said(await Asked(forward).outcome()) == "from 1"
            forward.close()

    played(scene)


def test_no_question_goes_by_datagram(made: Made) -> None:
    async def scene() -> None:
        async with serving(made.named) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
                heard.bind(("127.0.0.1", server.port))
                heard.setblocking(False)
                forward = ask(to(server.port, certificates(made.stranger), "dns.example", prefer_udp=True))
                assert not isinstance(await Asked(forward).outcome(), Relayed)
                with pytest.raises(BlockingIOError):
                    heard.recv(1)
                forward.close()

    played(scene)
