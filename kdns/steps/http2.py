"""HTTP/2 to an upstream: each question a stream of one connection, answered in any order.

The one importer of h2, which keeps the protocol's state and knows no sockets either; it is imported where an upstream
is asked so. Frames are told apart here before h2 gets them, one at a time: so a frame is never larger than we allow,
many in one read are no recursion, and GOAWAY lets go on what was asked before it, which h2 would end.
What the other side may make us keep is bounded: streams, header fields, content; pushing is off.
Standards: RFC 9113 sections 3.4, 5.1.2, 6.5.2, 6.8 and 6.9, RFC 7541 section 7.1.3 (never indexed).
"""

from collections.abc import Callable, Iterable
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from kdns.steps.https import HttpError, Resource, Response
from kdns.steps.speech import Heard

STREAMS: Final = 100  # questions that wait at a time before another connection is opened, if the other side allows
STREAMS_MAX: Final = 16384  # of a connection's life: h2 keeps a note of each

_HEAD: Final = 9  # octets before a frame's own
_FRAME_MAX: Final = 16384  # octets of a frame, as long as no setting of ours allows more
_GOAWAY: Final = 7  # the type of frame
_FIELDS_MAX: Final = 16384  # octets of a response's header fields
_SETTINGS: Final = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.MAX_HEADER_LIST_SIZE: _FIELDS_MAX,
}
_PATH: Final = b":path"


class Http2:
    """One connection's speech."""

    __slots__ = ("_asked", "_bodies", "_connection", "_got", "_leaving", "_open", "_resource", "_responses", "end")

    ident: Final = 0  # RFC 8484 section 4.1: equal questions are equal requests, for caches on the way
    lone: Final = True

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        config = H2Configuration(
            client_side=True, header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._connection = H2Connection(config)
        self._connection.local_settings = Settings(client=True, initial_values=_SETTINGS)
        self._connection.decoder.max_header_list_size = _FIELDS_MAX
        self._connection.initiate_connection()
        self._asked = 0
        self._open: set[int] = set()
        self._responses: dict[int, Response] = {}
        self._bodies: dict[int, bytes] = {}  # that the other side has no window for yet
        self._got = bytearray()
        self._leaving = False  # whether the other side takes no more
        self.end: OSError | None = None

    @property
    def room(self) -> int:
        """As Speech.room."""
        if self._leaving or self.end or self._asked >= STREAMS_MAX:
            return 0
        return min(STREAMS, self._connection.remote_settings.max_concurrent_streams)

    def say(self, ident: int, message: bytes) -> int:  # noqa: ARG002 - as Speech
        """As Speech.say."""
        fields, body = self._resource.request(message)
        try:
            stream = self._connection.get_next_available_stream_id()
            self._connection.send_headers(stream, [_field(*each) for each in fields], end_stream=not body)
            self._asked += 1
            self._open.add(stream)
            if body:
                self._bodies[stream] = body
                self._send_bodies()
        except H2Error as error:
            raise ConnectionAbortedError(f"HTTP/2: {_why(error)}") from error
        return stream

    def forget(self, key: int) -> None:
        """As Speech.forget."""
        self._close(key, ErrorCodes.CANCEL)

    def hear(self, octets: bytes) -> list[Heard]:
        """As Speech.hear."""
        self._got += octets
        heard: list[Heard] = []
        while self.end is None and (frame := self._frame()):
            if frame[3] == _GOAWAY:
                heard += self._leave(frame)
                continue
            try:
                events = self._connection.receive_data(frame)
                for event in events:
                    heard += self._learn(event)
                self._send_bodies()
            except H2Error as error:
                self.end = ConnectionAbortedError(f"HTTP/2: {_why(error)}")
        return heard

    def pending(self) -> bytes:
        """As Speech.pending."""
        return self._connection.data_to_send()

    def _frame(self) -> bytes:
        """The next whole frame that has come; nothing if there is none yet."""
        got = self._got
        if len(got) < _HEAD:
            return b""
        size = int.from_bytes(got[:3], "big")
        if size > _FRAME_MAX:
            self.end = ConnectionAbortedError(f"HTTP/2: a frame of {size} octets, expected at most {_FRAME_MAX}")
            return b""
        if len(got) < _HEAD + size:
            return b""
        frame = bytes(got[: _HEAD + size])
        del got[: _HEAD + size]
        return frame

    def _leave(self, frame: bytes) -> list[Heard]:
        """GOAWAY: what it doesn't name isn't answered here (RFC 9113 section 6.8)."""
        self._leaving = True
        last = int.from_bytes(frame[_HEAD : _HEAD + 4], "big") & 0x7FFFFFFF
        code = int.from_bytes(frame[_HEAD + 4 : _HEAD + 8], "big")
        lost = sorted(stream for stream in self._open if stream > last)
        error = ConnectionAbortedError(f"HTTP/2: the server went away ({_code(code)})")
        if code != ErrorCodes.NO_ERROR:
            self.end = error
        for stream in lost:
            self._close(stream, ErrorCodes.CANCEL)
        return [Heard(stream, error) for stream in lost]

    def _learn(self, event: Event) -> list[Heard]:
        match event:
            case ResponseReceived(stream_id=stream, headers=fields):
                return self._tried(stream, lambda: self._begin(stream, fields))
            case DataReceived(stream_id=stream, data=octets, flow_controlled_length=size):
                self._connection.acknowledge_received_data(size, stream)
                return self._tried(stream, lambda: self._responses[stream].add(octets))
            case StreamEnded(stream_id=stream) if stream in self._open:
                self._open.discard(stream)
                self._bodies.pop(stream, None)
                response = self._responses.pop(stream)
                try:
                    return [Heard(stream, response.message())]
                except HttpError as error:
                    return [Heard(stream, error)]
            case StreamReset(stream_id=stream, error_code=code) if stream in self._open:
                self._close(stream, None)
                return [Heard(stream, ConnectionResetError(f"HTTP/2: the server reset the stream ({_code(code)})"))]
        return []

    def _begin(self, stream: int, fields: Iterable[tuple[bytes, bytes]]) -> None:
        self._responses[stream] = Response((bytes(name), bytes(value)) for name, value in fields)

    def _tried(self, stream: int, step: Callable[[], None]) -> list[Heard]:
        """Does a step of a stream that is waited for, and ends the stream where it fails."""
        if stream not in self._open:
            return []
        try:
            step()
        except HttpError as error:
            self._close(stream, ErrorCodes.CANCEL)
            return [Heard(stream, error)]
        return []

    def _close(self, stream: int, code: ErrorCodes | None) -> None:
        """Waits for the stream no longer; tells the other side, if there is a code."""
        self._open.discard(stream)
        self._responses.pop(stream, None)
        self._bodies.pop(stream, None)
        if code is not None and self.end is None:
            try:
                self._connection.reset_stream(stream, code)
            except H2Error:  # the other side has ended it already
                return

    def _send_bodies(self) -> None:
        """Sends the questions that the other side has room for."""
        for stream, body in list(self._bodies.items()):
            if self._connection.local_flow_control_window(stream) >= len(body):
                self._connection.send_data(stream, body, end_stream=True)
                del self._bodies[stream]


def _field(name: bytes, value: bytes) -> HeaderTuple:
    """A field; a path isn't kept by either side, since that of GET is another for each question."""
    return NeverIndexedHeaderTuple(name, value) if name == _PATH else HeaderTuple(name, value)


def _why(error: H2Error) -> str:
    return str(error) or type(error).__name__


def _code(code: int) -> str:
    """An error code as the RFC names it."""
    try:
        return ErrorCodes(code).name
    except ValueError:
        return f"{code:#x}"
