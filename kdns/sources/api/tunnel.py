"""Tunnels: a TCP connection to a pod's port by way of the API server and the pod's kubelet.

A websocket of the pod's sub-resource portforward. Each message begins with an octet that names its channel: 0 has the port's
octets both ways, 1 what goes wrong; the first message of each from there has the port's number (two octets, the lower
first), and is left out. One side can't close alone. Opening blocks. Imported only by who forwards.
Sources: Kubernetes API, "create connect GET requests to portforward of Pod"; kubelet, pkg/kubelet/cri/streaming
portforward (v4.channel.k8s.io).
"""

import json
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from kdns.cluster.objects import Key
from kdns.sources.api.official import Configuration, frame, websocket
from kdns.sources.credentials import Credentials, is_pem
from kdns.sources.errors import SourceError

_DATA, _ERROR = 0, 1
_TEXT, _BINARY, _CLOSE = 1, 2, 8  # opcodes of RFC 6455 section 5.2
_PORT_BYTES: Final = 2
# As much as there is room for where there is any, so that sending doesn't wait; a TLS record.
_SEND_BYTES: Final = 1 << 14


class TunnelError(SourceError):
    """There is no way to the port, or no more; the message says why."""


class Tunnel:
    """One connection."""

    def __init__(self, opened: Any) -> None:
        self._socket = opened
        self._begun: set[int] = set()  # channels whose first message has come
        self._waiting = bytearray()

    @classmethod
    def open(cls, credentials: Credentials, pod: Key, port: int) -> "Tunnel":
        """Connects. That the pod takes nothing at the port may be told only later. Raises TunnelError."""
        path = f"/api/v1/namespaces/{quote(pod.namespace, safe='')}/pods/{quote(pod.name, safe='')}/portforward"
        where = f"pod {pod.namespace}/{pod.name}, port {port}"
        try:
            with _configured(credentials) as configuration:
                url = f"{credentials.server.rstrip('/')}{path}?ports={port}"
                return cls(websocket(configuration, url, credentials.authorization))
        except Exception as error:  # the library and the one below it raise whatever they meet
            raise TunnelError(f"{where}: {_why(error)}") from error

    def fileno(self) -> int:
        """What to wait at for octets, and for room to send some."""
        return int(self._socket.sock.fileno())

    @property
    def is_pending(self) -> bool:
        """Whether octets are there already, which nobody waits for then."""
        sock = self._socket.sock
        return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0

    @property
    def backlog(self) -> int:
        """How many octets aren't sent yet."""
        return len(self._waiting)

    def receive(self) -> bytes | None:
        """What the next message brings, which may be nothing; None where the other side has closed.

        Raises TunnelError for what goes wrong in the pod.
        """
        try:
            opcode, message = self._socket.recv_data_frame(True)
        except Exception:  # noqa: BLE001 - as above; whichever way it is gone
            return None
        if opcode == _CLOSE:
            return None
        if opcode not in (_TEXT, _BINARY) or not message.data:
            return b""
        channel, octets = message.data[0], bytes(message.data[1:])
        if channel not in self._begun:
            self._begun.add(channel)
            octets = octets[_PORT_BYTES:]
        if channel == _ERROR and octets:
            raise TunnelError(" ".join(octets.decode("utf-8", "replace").split()))
        return octets if channel == _DATA else b""

    def add(self, octets: bytes) -> None:
        """Takes what is to be sent."""
        self._waiting += frame(bytes((_DATA,)) + octets)

    def flush(self) -> None:
        """Sends as much as there is room for. Raises TunnelError where it is closed."""
        try:
            del self._waiting[: self._socket.sock.send(self._waiting[:_SEND_BYTES])]
        except OSError as error:
            raise TunnelError(f"the connection broke: {error.strerror or error}") from error

    def close(self) -> None:
        """Closes it."""
        self._socket.shutdown()


@contextmanager
def _configured(credentials: Credentials) -> Iterator[Any]:
    """The library's form of credentials, with files for what is text, as long as it connects."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdns-")))
        configuration = Configuration()
        configuration.verify_ssl = not credentials.insecure
        configuration.ssl_ca_cert = _as_file(credentials.ca, folder / "ca") or None
        configuration.tls_server_name = credentials.server_name
        if credentials.client is not None:
            configuration.cert_file = _as_file(credentials.client.certificate, folder / "certificate")
            configuration.key_file = _as_file(credentials.client.key, folder / "key")
        yield configuration


def _as_file(given: str, path: Path) -> str:
    if not is_pem(given):
        return given
    path.touch(mode=0o600)
    path.write_text(given, encoding="ascii")
    return str(path)


def _why(error: Exception) -> str:
    """What the API server says, where it says something, else what the library does."""
    body: Any = getattr(error, "resp_body", None)
    try:
        return f"{getattr(error, 'status_code', '')} {json.loads(body)['message']}".strip()
    except (TypeError, ValueError, KeyError):
        return " ".join(str(error).split()).partition(" -+-+- ")[0] or type(error).__name__
