"""Numbers of the DNS and their names: types, classes, opcodes, rcodes, EDNS codes.

Plain integers, since the fast path compares millions of them; the tables give the
mnemonics for logs, metrics and errors. Source: IANA's DNS parameters registry;
RFC 1035 section 3.2, RFC 6891, RFC 8914 (extended errors).
"""

from typing import Final

# Types (RFC 1035 section 3.2.2 and the registry)
A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
HINFO: Final = 13
MX: Final = 15
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
NAPTR: Final = 35
DNAME: Final = 39
OPT: Final = 41
DS: Final = 43
RRSIG: Final = 46
NSEC: Final = 47
DNSKEY: Final = 48
NSEC3: Final = 50
SVCB: Final = 64
HTTPS: Final = 65
NXNAME: Final = 128
TKEY: Final = 249
TSIG: Final = 250
IXFR: Final = 251
AXFR: Final = 252
MAILB: Final = 253
MAILA: Final = 254
ANY: Final = 255

TYPE_NAMES: Final[dict[int, str]] = {
    value: name for name, value in list(globals().items()) if isinstance(value, int) and name.isupper()
}

# Classes
IN: Final = 1
CH: Final = 3
HS: Final = 4
CLASS_NONE: Final = 254
CLASS_ANY: Final = 255

# Opcodes
QUERY: Final = 0
NOTIFY: Final = 4
UPDATE: Final = 5

# Rcodes; those above 15 need an OPT record for their upper bits (RFC 6891 section 6.1.3)
NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
NOTAUTH: Final = 9
BADVERS: Final = 16

RCODE_NAMES: Final[dict[int, str]] = {
    NOERROR: "NOERROR",
    FORMERR: "FORMERR",
    SERVFAIL: "SERVFAIL",
    NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP",
    REFUSED: "REFUSED",
    6: "YXDOMAIN",
    7: "YXRRSET",
    8: "NXRRSET",
    NOTAUTH: "NOTAUTH",
    10: "NOTZONE",
    BADVERS: "BADVERS",
}

# Header flags, as masks of the 16-bit field (RFC 1035 section 4.1.1, RFC 2535)
QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
AD: Final = 0x0020
CD: Final = 0x0010

# EDNS options, and the extended errors that kdns gives (RFC 8914)
OPTION_EDE: Final = 15
EDE_OTHER: Final = 0
EDE_STALE_ANSWER: Final = 3
EDE_NOT_READY: Final = 14
EDE_STALE_NXDOMAIN: Final = 19
EDE_NO_REACHABLE_AUTHORITY: Final = 22
EDE_NETWORK_ERROR: Final = 23
EDE_INVALID_QUERY_TYPE: Final = 30


def type_text(rtype: int) -> str:
    """The mnemonic of a type, or its TYPE123 form (RFC 3597 section 5)."""
    return TYPE_NAMES.get(rtype) or f"TYPE{rtype}"


def rcode_text(rcode: int) -> str:
    """The mnemonic of an rcode, or its number as text."""
    return RCODE_NAMES.get(rcode) or str(rcode)
