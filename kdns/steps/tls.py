"""TLS to upstreams: whose certificates are believed, and the octets of one conversation.

Sans-IO: a Tunnel turns what came from the other side into plain octets and plain octets into what goes there; sockets
are stream's. The certificate has to be valid for the name, or for the address where there is no name, and of an
authority that is believed: if not, no question is sent. There is no way to go on without. Files are read when the first
connection is made, and again when they have changed.
Standards: RFC 7858 (DNS over TLS), RFC 8310 section 8 (strict), RFC 7301 (ALPN), TLS 1.2 and above.
"""

import ssl
from pathlib import Path
from typing import Final

from kdns.config.directives.forward import Certificates

_READ: Final = 65536  # octets read at a time


class TlsError(ConnectionError):
    """TLS with this upstream isn't possible: a file that can't be read, a certificate that isn't believed."""


class Security:
    """With which certificates upstreams are talked to."""

    __slots__ = ("_context", "_files", "_protocol", "_seen")

    def __init__(self, files: Certificates, protocol: str = "") -> None:
        """With a protocol's name by RFC 7301, that is what has to be spoken inside."""
        self._files = files
        self._protocol = protocol
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[tuple[int, int], ...] = ()

    def tunnel(self, name: str) -> "Tunnel":
        """A conversation with who has a certificate for name, a host's or an address. Raises TlsError."""
        seen = tuple(map(_state, filter(None, self._files)))
        if self._context is None or seen != self._seen:
            self._context = self._read()
            self._seen = seen
        return Tunnel(self._context, name, self._protocol)

    def _read(self) -> ssl.SSLContext:
        certificate, key, authorities = self._files
        try:
            context = ssl.create_default_context(cafile=authorities)
            if certificate is not None:
                context.load_cert_chain(certificate, key)
        except OSError as error:  # of which SSLError is one
            names = ", ".join(filter(None, self._files))
            raise TlsError(f"can't use {names}: {error.strerror or error}") from error
        if self._protocol:
            context.set_alpn_protocols([self._protocol])
        return context


def _state(path: str) -> tuple[int, int]:
    """What changes when a file does. Raises TlsError."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise TlsError(f"can't use {path}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_ino


class Tunnel:
    """One conversation: the handshake first, then octets both ways."""

    __slots__ = ("_came", "_goes", "_held", "_object", "_protocol", "ended", "ready")

    def __init__(self, context: ssl.SSLContext, name: str, protocol: str = "") -> None:
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._came, self._goes, server_hostname=name)
        self._protocol = protocol
        self._held = b""  # to be sent once the handshake is over
        self.ready = False
        self.ended = False  # whether the other side has said that nothing more comes

    def greet(self) -> bytes:
        """The first octets to send."""
        self._shake_hands()
        return self._goes.read()

    def send(self, octets: bytes) -> bytes:
        """What to send for these plain octets; nothing before the handshake is over."""
        if not self.ready:
            self._held += octets
            return b""
        self._object.write(octets)
        return self._goes.read()

    def receive(self, octets: bytes) -> tuple[bytes, bytes]:
        """The plain octets that came, and what has to be sent now. Raises TlsError."""
        self._came.write(octets)
        if not self.ready:
            self._shake_hands()
            if not self.ready:
                return b"", self._goes.read()
        plain = bytearray()
        try:
            while chunk := self._object.read(_READ):
                plain += chunk
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            raise _translated(error) from error
        return bytes(plain), self._goes.read()

    def _shake_hands(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise _translated(error) from error
        if self._protocol and self._object.selected_alpn_protocol() != self._protocol:
            raise TlsError(f"TLS: {self._protocol} isn't spoken there")
        self.ready = True
        if self._held:
            self._object.write(self._held)
            self._held = b""


def _translated(error: ssl.SSLError) -> TlsError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(f"TLS: certificate not believed: {error.verify_message}")
    return TlsError(f"TLS: {error.reason or error}")
