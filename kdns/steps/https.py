"""DNS over HTTPS in HTTP's words: what is requested, and which response is an answer, how old.

Knows no connection and no frames; http2 does. Of a request no more is told than the question (section 8.2 of the RFC):
no cookies, no agent. A response counts if its status is one of success and its content a DNS message of at most 65,535
octets; what a cache on the way has kept of it is taken off its TTLs.
Standards: RFC 8484 sections 4.1, 4.2 and 5.1, RFC 9110 sections 8.3, 8.4 and 15.3, RFC 9111 sections 4.2.1, 5.1 and 5.2.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from kdns.config.directives.forward import DohMethod
from kdns.dns.ageing import aged
from kdns.dns.wire import WireError

MESSAGE_LIMIT: Final = 65535  # octets of a DNS message (RFC 8484 section 6)

_TYPE: Final = b"application/dns-message"
_NUMBER_MAX: Final = 2**31 - 1  # RFC 9111 section 1.2.2: a greater one is this
_SUCCESS: Final = range(200, 300)

Fields: TypeAlias = Iterable[tuple[bytes, bytes]]  # names in lower case


class HttpError(ConnectionRefusedError):
    """A response that is no answer. Another connection wouldn't help: it is the server that doesn't."""


class Resource(NamedTuple):
    """What is asked over HTTP."""

    authority: str  # host, with the port where it isn't 443
    path: str
    method: DohMethod

    def request(self, message: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The fields and the content that ask this."""
        path = self.path.encode()
        if self.method == "GET":
            path += b"?dns=" + urlsafe_b64encode(message).rstrip(b"=")
        fields = [
            (b":method", self.method.encode()),
            (b":scheme", b"https"),
            (b":authority", self.authority.encode()),
            (b":path", path),
            (b"accept", _TYPE),
        ]
        if self.method == "GET":
            return fields, b""
        return [*fields, (b"content-type", _TYPE), (b"content-length", str(len(message)).encode())], message


class Response:
    """A response as it comes in."""

    __slots__ = ("_age", "_content", "_most")

    def __init__(self, fields: Fields) -> None:
        """Raises HttpError if it can't be an answer."""
        self._age = 0
        self._most: int | None = None  # seconds that it is fresh
        self._content = bytearray()
        kind = b""
        for name, value in fields:
            match name:
                case b":status":
                    _check_status(value)
                case b"content-type":
                    kind = value.partition(b";")[0].strip().lower()
                case b"content-encoding":
                    raise HttpError(f"HTTP content encoded as {_text(value)}, which wasn't asked for")
                case b"content-length":
                    _check_size(_number(value) or 0)
                case b"age":
                    self._age = _number(value) or 0
                case b"cache-control":
                    self._most = _max_age(value, self._most)
        if kind != _TYPE:
            raise HttpError(f"HTTP content of type {_text(kind) or 'nothing'}, expected {_text(_TYPE)}")

    def add(self, octets: bytes) -> None:
        """More of its content. Raises HttpError where that is too much."""
        _check_size(len(self._content) + len(octets))
        self._content += octets

    def message(self) -> bytes:
        """The DNS message, as old as it is. Raises HttpError if it is none."""
        content = bytes(self._content)
        if not self._age and self._most is None:
            return content
        try:
            return aged(content, self._age, None if self._most is None else max(self._most - self._age, 0))
        except WireError as error:
            raise HttpError(f"HTTP content that is no DNS message: {error}") from error


def _check_status(value: bytes) -> None:
    number = _number(value)
    if number not in _SUCCESS:
        raise HttpError(f"HTTP status {_text(value)}")


def _check_size(size: int) -> None:
    if size > MESSAGE_LIMIT:
        raise HttpError(f"HTTP content of {size} octets or more, expected at most {MESSAGE_LIMIT}")


def _max_age(value: bytes, before: int | None) -> int | None:
    """The freshness that a Cache-Control field gives, or that of the one before if it is shorter."""
    for directive in value.split(b","):
        name, _, argument = directive.strip().partition(b"=")
        if name.lower() == b"max-age" and (seconds := _number(argument.strip(b'"'))) is not None:
            before = seconds if before is None else min(before, seconds)
    return before


def _number(value: bytes) -> int | None:
    """A number of seconds, octets or a status; None for what is no such number, which is as if it weren't there."""
    return min(int(value[:11]), _NUMBER_MAX) if value.isdigit() else None


def _text(value: bytes) -> str:
    return value[:60].decode("ascii", "replace")
