"""What CoreDNS 1.14.7 says to questions, asked with its whoami as the rest of the chain: "passed" is what that answered.

A row is the question, what CoreDNS says and, where kdns means to differ, what it says instead. Of flags, those are
told that a step decides; "malformed" is a reply that no client can read. The file for hosts is HOSTS.
"""

from typing import Final, NamedTuple

HOSTS: Final = """\
# a comment
10.0.0.1   Web.Example.COM web   # with another
10.0.0.2 web.example.com
fd00::1 web.example.com
10.0.0.3 *.wild.example.com
fd00::3\t*.wild.example.com
10.0.0.4 one.wild.example.com
fd00::5 six.example.com
fe80::6%eth0 scoped.example.com
::ffff:10.0.0.7 mapped.example.com
10.0.0.8 other.test
10.0.0.1 web.example.com
nonsense here.example.com
10.0.0.300 bad.example.com
10.0.0.11
192.0.2.1 a..b.example.com fine.example.com
"""


class Compared(NamedTuple):
    """A directive, its place for the file's path being {file}, and its rows."""

    directive: str
    rows: str


EVERYTHING: Final = Compared(
    """hosts {file} {
    10.0.0.20 inline.example.com
    10.0.0.21 web.example.com
    10.0.0.22 two.wild.example.com
    ttl 60
    reload 0s
    fallthrough
}""",
    """
web.example.com. A | NOERROR aa; web.example.com. 60 A 10.0.0.1; web.example.com. 60 A 10.0.0.2; web.example.com. 60 A 10.0.0.21
wEb.Example.com. A | NOERROR aa; web.example.com. 60 A 10.0.0.1; web.example.com. 60 A 10.0.0.2; web.example.com. 60 A 10.0.0.21 | NOERROR aa; wEb.Example.com. 60 A 10.0.0.1; wEb.Example.com. 60 A 10.0.0.2; wEb.Example.com. 60 A 10.0.0.21
web.example.com. AAAA | NOERROR aa; web.example.com. 60 AAAA fd00::1
web. A | NOERROR aa; web. 60 A 10.0.0.1
web. AAAA | NOERROR aa
web.example.com. TXT | NOERROR aa
web.example.com. ANY | NOERROR aa
web.example.com. PTR | passed
inline.example.com. A | NOERROR aa; inline.example.com. 60 A 10.0.0.20
inline.example.com. AAAA | NOERROR aa
example.com. A | passed
a.web.example.com. A | passed
one.wild.example.com. A | NOERROR aa; one.wild.example.com. 60 A 10.0.0.4
one.wild.example.com. AAAA | NOERROR aa; one.wild.example.com. 60 AAAA fd00::3
two.wild.example.com. A | NOERROR aa; two.wild.example.com. 60 A 10.0.0.3; two.wild.example.com. 60 A 10.0.0.22
two.wild.example.com. AAAA | NOERROR aa; two.wild.example.com. 60 AAAA fd00::3
three.wild.example.com. A | NOERROR aa; three.wild.example.com. 60 A 10.0.0.3
three.wild.example.com. AAAA | NOERROR aa; three.wild.example.com. 60 AAAA fd00::3
three.wild.example.com. TXT | NOERROR aa
wild.example.com. A | passed
deep.three.wild.example.com. A | passed
*.wild.example.com. A | NOERROR aa; *.wild.example.com. 60 A 10.0.0.3
six.example.com. A | NOERROR aa
six.example.com. AAAA | NOERROR aa; six.example.com. 60 AAAA fd00::5
scoped.example.com. AAAA | NOERROR aa; scoped.example.com. 60 AAAA fe80::6
mapped.example.com. A | NOERROR aa; mapped.example.com. 60 A 10.0.0.7
mapped.example.com. AAAA | NOERROR aa
bad.example.com. A | passed
here.example.com. A | passed
fine.example.com. A | NOERROR aa; fine.example.com. 60 A 192.0.2.1
nothing.test. A | passed
. A | passed
1.0.0.10.in-addr.arpa. PTR | NOERROR aa; 1.0.0.10.in-addr.arpa. 60 PTR web.example.com.; 1.0.0.10.in-addr.arpa. 60 PTR web.
1.0.0.10.in-addr.arpa. A | passed
1.0.0.10.IN-ADDR.arpa. PTR | NOERROR aa; 1.0.0.10.in-addr.arpa. 60 PTR web.example.com.; 1.0.0.10.in-addr.arpa. 60 PTR web. | NOERROR aa; 1.0.0.10.IN-ADDR.arpa. 60 PTR web.example.com.; 1.0.0.10.IN-ADDR.arpa. 60 PTR web.
3.0.0.10.in-addr.arpa. PTR | passed
7.0.0.10.in-addr.arpa. PTR | NOERROR aa; 7.0.0.10.in-addr.arpa. 60 PTR mapped.example.com.
21.0.0.10.in-addr.arpa. PTR | NOERROR aa; 21.0.0.10.in-addr.arpa. 60 PTR web.example.com.
99.0.0.10.in-addr.arpa. PTR | passed
0.0.10.in-addr.arpa. PTR | passed
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. PTR | NOERROR aa; 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 60 PTR web.example.com.
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.IP6.ARPA. PTR | NOERROR aa; 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 60 PTR web.example.com. | NOERROR aa; 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.IP6.ARPA. 60 PTR web.example.com.
""",
)

PLAIN: Final = Compared(
    """hosts {file} {
    reload 0s
}""",
    """
web.example.com. A | NOERROR aa; web.example.com. 3600 A 10.0.0.1; web.example.com. 3600 A 10.0.0.2
nothing.test. A | SERVFAIL
nothing.test. PTR | passed
nothing.test. TXT | SERVFAIL
99.0.0.10.in-addr.arpa. PTR | passed
99.0.0.10.in-addr.arpa. A | SERVFAIL
""",
)

OF_ZONES: Final = Compared(
    """hosts {file} example.com 10.in-addr.arpa {
    reload 0s
    no_reverse
}""",
    """
web.example.com. A | NOERROR aa; web.example.com. 3600 A 10.0.0.1; web.example.com. 3600 A 10.0.0.2
web. A | passed
other.test. A | passed
nothing.example.com. A | SERVFAIL
1.0.0.10.in-addr.arpa. PTR | passed
8.0.0.10.in-addr.arpa. PTR | passed
1.0.0.10.in-addr.arpa. A | SERVFAIL
""",
)

UNSUPPORTED: Final = Compared(
    """hosts {file} {
    reload 0s
    fallthrough example.com
    fallthrough_unsupported
}""",
    """
web.example.com. TXT | passed
web.example.com. A | NOERROR aa; web.example.com. 3600 A 10.0.0.1; web.example.com. 3600 A 10.0.0.2
six.example.com. A | NOERROR aa
other.test. TXT | NOERROR aa
nothing.example.com. A | passed
nothing.test. A | SERVFAIL
""",
)

LOCAL: Final = Compared(
    """local""",
    """
localhost. A | NOERROR; localhost. 604800 A 127.0.0.1
localhost. AAAA | NOERROR; localhost. 604800 AAAA ::1
localhost. TXT | NOERROR; ns localhost. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
localhost. SOA | NOERROR; localhost. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
localhost. NS | NOERROR; localhost. 604800 NS localhost.
LocalHost. A | NOERROR; LocalHost. 604800 A 127.0.0.1
x.localhost. A | NOERROR; x.localhost. 604800 A 127.0.0.1
x.localhost. TXT | NOERROR; ns x.localhost. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
x.localhost. SOA | NOERROR; ns x.localhost. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
localhost.example.com. A | NOERROR; localhost.example.com. 604800 A 127.0.0.1
localhost.example.com. AAAA | NOERROR; localhost.example.com. 604800 AAAA ::1
localhost.example.com. MX | NOERROR; ns localhost.example.com. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
a.localhost.example.com. A | passed
xlocalhost. A | passed
127.in-addr.arpa. SOA | NOERROR; 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
127.in-addr.arpa. NS | NOERROR; 127.in-addr.arpa. 604800 NS localhost.
127.in-addr.arpa. A | NOERROR; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
127.in-addr.arpa. PTR | NOERROR; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
1.0.0.127.in-addr.arpa. PTR | NOERROR; 1.0.0.127.in-addr.arpa. 604800 PTR localhost.
1.0.0.127.IN-addr.arpa. PTR | NOERROR; 1.0.0.127.IN-addr.arpa. 604800 PTR localhost.
1.0.0.127.in-addr.arpa. A | NOERROR; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
0.0.127.in-addr.arpa. PTR | NXDOMAIN; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800 | NOERROR; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
2.0.0.127.in-addr.arpa. PTR | NXDOMAIN; ns 127.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
2.0.0.127.IN-ADDR.ARPA. PTR | NXDOMAIN; ns 127.IN-ADDR.ARPA. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
0.in-addr.arpa. A | NOERROR; ns 0.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
1.0.in-addr.arpa. A | NXDOMAIN; ns 0.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
255.in-addr.arpa. NS | NOERROR; 255.in-addr.arpa. 604800 NS localhost.
255.255.255.255.in-addr.arpa. PTR | NXDOMAIN; ns 255.in-addr.arpa. 604800 SOA localhost. root.localhost. 1 0 0 0 604800
254.in-addr.arpa. A | passed
www.example.com. A | passed
""",
)

LOCAL_WITHOUT_PREFIX: Final = Compared(
    """local {
    localhost_prefix off
}""",
    """
localhost. A | NOERROR; localhost. 604800 A 127.0.0.1
x.localhost. A | NOERROR; x.localhost. 604800 A 127.0.0.1
localhost.example.com. A | passed
x.localhost.example.com. A | passed
""",
)

CHAOS: Final = Compared(
    """chaos v1.2 somebody""",
    """
version.bind. TXT CH | NOERROR; version.bind. 0 TXT "v1.2"
VERSION.bind. TXT CH | NOERROR; VERSION.bind. 0 TXT "v1.2"
version.server. TXT CH | NOERROR; version.server. 0 TXT "v1.2"
authors.bind. TXT CH | NOERROR; authors.bind. 0 TXT "somebody"
version.bind. A CH | malformed | REFUSED
version.bind. TXT | passed
x.bind. TXT CH | malformed | REFUSED
version.bind. TXT HS | passed
""",
)

ANY: Final = Compared(
    """any""",
    """
example.com. ANY | NOERROR; example.com. 8482 HINFO "ANY obsoleted" "See RFC 8482"
Example.com. ANY | NOERROR; Example.com. 8482 HINFO "ANY obsoleted" "See RFC 8482"
example.com. A | passed
""",
)

ALL: Final = (EVERYTHING, PLAIN, OF_ZONES, UNSUPPORTED, LOCAL, LOCAL_WITHOUT_PREFIX, CHAOS, ANY)
