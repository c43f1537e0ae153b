"""DNS cookies: what a client gets back so that it can tell our replies from a forger's (RFC 7873, RFC 9018).

The server's part is made from the client's part, its address, the time and a secret, so
nothing is kept per client. It is never demanded: a query whose cookie isn't ours, or too old,
is answered as one with the client's part alone, with a fresh cookie (RFC 7873 section 5.2.4).
The hash is keyed BLAKE2s in place of SipHash-2-4: servers that share a secret would have to
agree on it, ours share none.
"""

import struct
from hashlib import blake2s
from typing import Final

from kdns.dns.wire import option

OPTION: Final = 10
CLIENT_BYTES: Final = 8
SECRET_BYTES: Final = 16

_VERSION: Final = b"\1\0\0\0"  # 1 and three octets reserved (RFC 9018 section 4.2)
_HEAD: Final = struct.Struct("!HH")


def client_cookie(options: bytes) -> bytes | None:
    """The client's 8 octets of the first cookie among EDNS options, which parse has checked; None without one."""
    cookie = option(options, OPTION)
    return None if cookie is None else cookie[:CLIENT_BYTES]


def cookie_option(client: bytes, address: str, secret: bytes, now_s: int) -> bytes:
    """The EDNS option of a reply: the client's 8 octets and our 16, good for the client's address (as text) at that time.

    now_s is in Unix seconds, secret has SECRET_BYTES octets.
    """
    stamp = _VERSION + struct.pack("!I", now_s & 0xFFFFFFFF)
    mark = blake2s(client + stamp + address.encode(), key=secret, digest_size=8).digest()
    return _HEAD.pack(OPTION, CLIENT_BYTES + len(stamp) + len(mark)) + client + stamp + mark
