"""What Corefiles call types, classes and rcodes: all names that CoreDNS knows, not just those that kdns makes.

Sources: IANA's DNS parameters registry; miekg/dns 1.1.72 for the spelling where two are in use. A number may stand for
any of them: TYPE257 (RFC 3597 section 5), 23 for an rcode.
"""

from collections.abc import Mapping
from typing import Final

from kdns.dns import types

_TYPES: Final = (
    "A NS MD MF CNAME SOA MB MG MR NULL - PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT - NSAP-PTR SIG KEY PX GPOS AAAA LOC "
    "NXT EID NIMLOC SRV ATMA NAPTR KX CERT - DNAME - OPT APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY DHCID NSEC3 NSEC3PARAM "
    "TLSA SMIMEA - HIP NINFO RKEY TALINK CDS CDNSKEY OPENPGPKEY CSYNC ZONEMD SVCB HTTPS"
)
_FROM_99: Final = "SPF UINFO UID GID UNSPEC NID L32 L64 LP EUI48 EUI64"
_FROM_249: Final = "TKEY TSIG IXFR AXFR MAILB MAILA ANY URI CAA AVC"
TYPES: Final[Mapping[str, int]] = {
    **{name: number for number, name in enumerate(_TYPES.split(), 1) if name != "-"},
    **{name: number for number, name in enumerate(_FROM_99.split(), 99)},
    "NXNAME": types.NXNAME,
    **{name: number for number, name in enumerate(_FROM_249.split(), types.TKEY)},
    "AMTRELAY": 260,
    "RESINFO": 261,
    "TA": 32768,
    "DLV": 32769,
}
CLASSES: Final[Mapping[str, int]] = {
    "IN": types.IN,
    "CS": 2,
    "CH": types.CH,
    "HS": types.HS,
    "NONE": types.CLASS_NONE,
    "ANY": types.CLASS_ANY,
}
_EXTENDED: Final = "BADSIG BADKEY BADTIME BADMODE BADNAME BADALG BADTRUNC BADCOOKIE"
RCODES: Final[Mapping[str, int]] = {
    **{name: number for number, name in types.RCODE_NAMES.items()},
    "DSOTYPENI": 11,
    **{name: number for number, name in enumerate(_EXTENDED.split(), types.BADVERS)},
}
RCODE_MAX: Final = 23  # the highest that CoreDNS takes as a number
TYPE_MAX: Final = 65535
