"""Port-forwarding before an API server that has none, as the lab's: all else is passed on to it.

It speaks the channels of v4.channel.k8s.io as Kubernetes' sources have them (kubelet, pkg/kubelet/cri/streaming/portforward,
websocket.go): two channels for each port, whose first message is the port's number. A pod is a port of 127.0.0.1 here.
"""

import base64
import contextlib
import hashlib
import re
import select
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path
from typing import Final, Self

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_PROTOCOL: Final = "v4.channel.k8s.io"
_BINARY, _CLOSE = 2, 8


class Front:
    """One, on a free port of 127.0.0.1, with TLS."""

    def __init__(self, folder: Path, behind: int) -> None:
        """Takes the port of 127.0.0.1 at which the API server is."""
        self._behind = behind
        self.pods: dict[tuple[str, int], int] = {}  # name and port, and the port here; all others refuse
        self.asked: list[tuple[str, int]] = []
        self.connections = 0  # that are open now
        self.ca, key = folder / "front.pem", folder / "front.key"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=front"
        more = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(self.ca), "-keyout", str(key)]
        subprocess.run([*command.split(), *more], check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.ca, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as client:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1)
            text = head.decode()
            asked = re.match(r"GET /api/v1/namespaces/([^/]+)/pods/([^/?]+)/portforward\?ports=(\d+) ", text)
            if asked is None:
                self._pass_on(client, head)
                return
            key = re.search(r"(?i)sec-websocket-key: (\S+)", text)
            if key is None or _PROTOCOL not in text:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return
            accept = base64.b64encode(hashlib.sha1(key[1].encode() + _GUID, usedforsecurity=False).digest()).decode()
            answer = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
            more = (f"Sec-WebSocket-Accept: {accept}", f"Sec-WebSocket-Protocol: {_PROTOCOL}")
            client.sendall("\r\n".join((*answer, *more, "", "")).encode())
            self._forward(client, asked[2], int(asked[3]))

    def _pass_on(self, client: ssl.SSLSocket, head: bytes) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(socket.create_connection(("127.0.0.1", self._behind))) as server:
            server.sendall(head)
            ends = {client: server, server: client}
            while True:
                ready = [each for each in ends if each.pending()] or select.select(list(ends), [], [])[0]
                for each in ready:
                    octets = each.recv(1 << 16)
                    if not octets:
                        return
                    ends[each].sendall(octets)

    def _forward(self, client: ssl.SSLSocket, pod: str, port: int) -> None:
        self.asked.append((pod, port))
        for channel in (0, 1):
            client.sendall(_frame(bytes((channel,)) + struct.pack("<H", port)))
        number = self.pods.get((pod, port))
        if number is None:
            client.sendall(_frame(b"\1" + f"error forwarding port {port} to pod {pod}: connection refused".encode()))
            client.sendall(_frame(b"", _CLOSE))
            return
        self.connections += 1
        try:
            with socket.create_connection(("127.0.0.1", number)) as backend:
                _pump(client, backend)
        finally:
            self.connections -= 1


def _pump(client: ssl.SSLSocket, backend: socket.socket) -> None:
    while True:
        ready = [client] if client.pending() else select.select([client, backend], [], [])[0]
        if client in ready:
            opcode, octets = _read(client)
            if opcode == _CLOSE:
                return
            if octets[:1] == b"\0":
                backend.sendall(octets[1:])
        if backend in ready:
            octets = backend.recv(1 << 14)
            client.sendall(_frame(b"\0" + octets) if octets else _frame(b"", _CLOSE))
            if not octets:
                return


def _frame(octets: bytes, opcode: int = _BINARY) -> bytes:
    """A message from a server, which isn't masked (RFC 6455 section 5.2)."""
    length = struct.pack("!B", len(octets)) if len(octets) < 126 else struct.pack("!BH", 126, len(octets))
    return bytes((0x80 | opcode,)) + length + octets


def _read(client: ssl.SSLSocket) -> tuple[int, bytes]:
    first, second = _exactly(client, 2)
    length = second & 127
    if length == 126:
        (length,) = struct.unpack("!H", _exactly(client, 2))
    elif length == 127:
        (length,) = struct.unpack("!Q", _exactly(client, 8))
    mask = _exactly(client, 4)
    return first & 15, bytes(octet ^ mask[at % 4] for at, octet in enumerate(_exactly(client, length)))


def _exactly(client: ssl.SSLSocket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = client.recv(count - len(found))
        if not part:
            raise ConnectionError("it is closed")
        found += part
    return found
