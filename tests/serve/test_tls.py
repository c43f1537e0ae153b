"""DNS over TLS: a real handshake, certificates that change, and files that are none."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from kdns.config.directives.places import Tls
from kdns.config.kinds import FilePath
from kdns.config.settings import SettingsError
from kdns.serve.stream import StreamLimits, serve_stream
from kdns.serve.tls import LOOK_S, Certificate, context_of
from tests import virtual_time
from tests.serve.conversation import Answers, framed, message


class Told:
    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **_keys: object) -> None:
        self.events.append(event)

    error = info


def certificate(folder: Path, name: str) -> Tls:
    """A self-signed certificate of that name in the folder's two files, in place of any before."""
    made = folder / "new"
    made.mkdir(exist_ok=True)
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name}".split()
    line = [
        "openssl",
        *words,
        "-addext",
        f"subjectAltName=DNS:{name}",
        "-out",
        str(made / "a.crt"),
        "-keyout",
        str(made / "a.key"),
    ]
    subprocess.run(line, check=True, capture_output=True, timeout=30)
    for file in ("a.crt", "a.key"):
        (made / file).replace(folder / file)
    return Tls(certificate=FilePath(str(folder / "a.crt")), key=FilePath(str(folder / "a.key")))


def play(scene: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(scene)


async def asked(port: int, name: str, authority: Path) -> bytes:
    """The reply over TLS from a server that has to be of that name."""
    context = ssl.create_default_context(cafile=authority)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    writer.write(framed(message(7)))
    size = int.from_bytes(await reader.readexactly(2), "big")
    reply = await reader.readexactly(size)
    writer.close()
    return reply


def test_question_over_tls_is_answered_and_a_new_certificate_is_taken_up(tmp_path: Path) -> None:
    async def scene() -> None:
        told = Told()
        settings = certificate(tmp_path, "one.example")
        loop = asyncio.get_running_loop()
        held = Certificate(settings, loop, told)
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        server = await serve_stream(sock, Answers(), StreamLimits(), held.context)
        assert (await asked(port, "one.example", tmp_path / "a.crt"))[:2] == b"\0\7"
        (tmp_path / "a.key").write_text("damaged")
        await asyncio.sleep(LOOK_S + 1)
        assert told.events == ["certificate_unreadable"]
        assert (await asked(port, "one.example", tmp_path / "a.crt"))[:2] == b"\0\7"
        certificate(tmp_path, "two.example")
        await asyncio.sleep(LOOK_S + 1)
        assert told.events[1:] == ["certificate_read"]
        assert (await asked(port, "two.example", tmp_path / "a.crt"))[:2] == b"\0\7"
        server.close()

    play(scene())


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    missing = Tls(certificate=FilePath(str(tmp_path / "a")), key=FilePath(str(tmp_path / "b")))
    with pytest.raises(SettingsError, match=f"tls: found no certificate with its key in {tmp_path}/a"):
        context_of(missing)
