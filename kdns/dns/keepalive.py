"""edns-tcp-keepalive: a client that asks over TCP is told how long its connection may be silent (RFC 7828).

Over UDP the option is ignored (section 3.3.1); which transport it is, the caller knows.
"""

import struct
from typing import Final

from kdns.dns import types
from kdns.dns.query import QueryError
from kdns.dns.wire import option

OPTION: Final = 11

_PACK: Final = struct.Struct("!HHH").pack
_UNITS_PER_S: Final = 10


def keepalive_option(options: bytes, idle_s: float) -> bytes:
    """The EDNS option of the reply to a query that has it among its options; empty without one.

    options are those of a Query. The time is rounded down to 0.1 s. Raises QueryError where the query says a time
    of its own (RFC 7828 section 3.2.1).
    """
    asked = option(options, OPTION)
    if asked is None:
        return b""
    if asked:
        raise QueryError(types.FORMERR, f"edns-tcp-keepalive of {len(asked)} octets, expected none", edns=True)
    return _PACK(OPTION, 2, min(int(idle_s * _UNITS_PER_S), 0xFFFF))
