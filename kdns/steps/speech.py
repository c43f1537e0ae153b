"""What is spoken on a connection: how messages become octets, and how answers find their questions again.

Sans-IO: a line moves the octets and knows who waits; a speech knows neither. Framed is that of TCP and TLS, where a
question is known by its id. The other one is http2's.
Standards: RFC 1035 section 4.2.2 (two octets of length), RFC 7766 section 7 (any order).
"""

from typing import Final, NamedTuple, Protocol

IN_FLIGHT: Final = 32  # questions that wait on a connection before another one is opened


class Heard(NamedTuple):
    """What has come for the question of a key: a message, or why there will be none."""

    key: int
    what: bytes | OSError


class Speech(Protocol):
    """One connection's."""

    end: OSError | None  # why nothing can be said or heard here any more

    @property
    def ident(self) -> int | None:
        """The id that every question has here; None if each needs one of its own."""
        ...

    @property
    def lone(self) -> bool:
        """Whether what comes under a key is all that ever will."""
        ...

    @property
    def room(self) -> int:
        """How many questions may wait at a time; none if the other side takes no more."""
        ...

    def say(self, ident: int, message: bytes) -> int:
        """Has a question sent that begins with this id; the key of its answer. Raises OSError."""
        ...

    def forget(self, key: int) -> None:
        """Nobody waits for this answer any more."""
        ...

    def hear(self, octets: bytes) -> list[Heard]:
        """What these octets complete; nothing is raised, but end is set where they make no sense."""
        ...

    def pending(self) -> bytes:
        """The octets to send now, each once."""
        ...


class Framed:
    """Messages with their length before them."""

    __slots__ = ("_got", "_out", "end")

    ident: Final = None
    lone: Final = False

    def __init__(self) -> None:
        self._got = bytearray()
        self._out = bytearray()
        self.end: OSError | None = None

    @property
    def room(self) -> int:
        """As Speech.room."""
        return IN_FLIGHT

    def say(self, ident: int, message: bytes) -> int:
        """As Speech.say."""
        self._out += len(message).to_bytes(2, "big") + message
        return ident

    def forget(self, key: int) -> None:
        """As Speech.forget."""

    def hear(self, octets: bytes) -> list[Heard]:
        """As Speech.hear."""
        got = self._got
        got += octets
        start, size, found = 0, len(got), []
        while size - start >= 2 and size - start >= (length := 2 + int.from_bytes(got[start : start + 2], "big")):
            message = bytes(got[start + 2 : start + length])
            found.append(Heard(int.from_bytes(message[:2], "big"), message))
            start += length
        del got[:start]
        return found

    def pending(self) -> bytes:
        """As Speech.pending."""
        octets = bytes(self._out)
        self._out.clear()
        return octets
