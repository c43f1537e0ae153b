"""Corefiles, a theme each, and what both servers are asked on it.

A theme is lines of a server block for all names, blocks beside it, files, names and types, and the differences that are
meant to be beside those of every server: what the page of a directive tells under Known differences.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

HEAD: Final = """.:{port} {
    bind 127.0.0.1
    errors
    ready 127.0.0.1:{ready}
    prometheus 127.0.0.1:{metrics}
"""

Names = Sequence[tuple[str, str]]


class Theme(NamedTuple):
    """One Corefile and its questions."""

    name: str
    lines: str
    names: Names
    used: Sequence[str] = ()  # directives whose known differences show
    blocks: str = ""
    files: Mapping[str, str] = {}
    classes: Sequence[str] = ("IN",)

    @property
    def corefile(self) -> str:
        inside = "".join(f"    {line}\n" for line in self.lines.strip("\n").splitlines())
        return f"{HEAD}{inside}}}\n{self.blocks}"


def each(names: str, types: str = "A AAAA TXT") -> Names:
    """All of these names for all of these types."""
    return [*product(names.split(), types.split())]


EVERY: Final = "A AAAA SRV PTR TXT NS SOA ANY HTTPS MX CNAME CAA"
EXTERNAL: Final = (
    *each("www.example.com alias.example.com one.example.com lost.example.com nowhere.example.com example.com", EVERY),
    *each(
        "extras.example.com uneven.example.com nosoa.example.com delegated.example.com foreign.example.com", "A AAAA"
    ),
    *each("short.example.com zero.example.com long.example.com many.example.com mail.example.com", "A AAAA"),
    *each("_sip._tcp.example.com", "SRV A"),
    *each("naptr.example.com", "NAPTR"),
    *each("odd.example.com", "TYPE65280 TYPE65281"),
    *each("7.113.0.203.in-addr.arpa 9.9.9.10.in-addr.arpa 8.9.9.10.in-addr.arpa", "PTR A"),
    *each("com example.com .", "A NS SOA"),
)
FAILING: Final = (
    *each("servfail.example.com refused.example.com notimp.example.com formerr.example.com", "A TXT"),
    *each("yxdomain.example.com notauth.example.com", "A"),
)
SINS: Final = each(
    "silent.sins.example otherid.sins.example othername.sins.example short.sins.example noise.sins.example"
    " cut.sins.example query.sins.example",
    "A",
)

FORWARDED: Final = Theme("forwarded", "forward . {upstream}", (*EXTERNAL, *FAILING))
CACHED: Final = Theme("cached", "cache 30\nforward . {upstream}", (*EXTERNAL, *FAILING), used=("cache",))
STALE: Final = Theme(
    "stale",
    """
cache {
    success 9984 1 1
    denial 9984 1 1
    serve_stale 1h
}
forward . {upstream}
""",
    (
        *each(
            "www.example.com alias.example.com one.example.com lost.example.com nowhere.example.com", "A AAAA TXT MX"
        ),
        *each("uneven.example.com short.example.com long.example.com mail.example.com", "A"),
    ),
    used=("cache",),
)
BROKEN: Final = Theme("broken", "forward . {upstream}", SINS)

REWRITTEN: Final = Theme(
    "rewritten",
    r"""
rewrite name exact a.old.example a.new.example
rewrite name prefix old- www. answer auto
rewrite name suffix .suffix.example .new.example
rewrite name suffix .auto.example .new.example answer auto
rewrite name substring -middle- .
rewrite stop {
    name regex ^(.*)\.regex\.example\.$ {1}.example.com
    answer name ^(.*)\.example\.com\.$ {1}.regex.example.
}
rewrite stop {
    name regex ^(.*)\.values\.example\.$ {1}.example.com
    answer name ^(.*)\.example\.com\.$ {1}.values.example.
    answer value ^(.*)\.example\.com\.$ {1}.values.example.
}
rewrite continue ttl exact four.example.com 30
rewrite continue ttl suffix .new.example 30-50
rewrite continue ttl regex ^long\..* -1000
rewrite continue rcode exact nowhere.example.com NXDOMAIN NOERROR
rewrite continue rcode regex ^servfail\. SERVFAIL NXDOMAIN
rewrite type MX A
rewrite class CH IN
rewrite cname exact app.cdn.example. app.other.example.
rewrite edns0 local set 0xffee abcd
forward . {upstream}
""",
    (
        *each("a.old.example x.a.old.example", "A AAAA TXT"),
        *each("old-example.com old-nothing.example", "A TXT"),
        *each("a.suffix.example b.suffix.example none.suffix.example a.auto.example b.auto.example none.auto.example"),
        *each("www-middle-example.com www-middle-nothing", "A"),
        *each("www.regex.example alias.regex.example one.regex.example none.regex.example", "A TXT SRV"),
        *each("www.values.example alias.values.example one.values.example none.values.example", "A TXT"),
        *each("four.example.com a.new.example b.new.example deep.b.new.example long.example.com zero.example.com", "A"),
        *each("nowhere.example.com nowhere2.example.com servfail.example.com", "A"),
        *each("www.example.com four.example.com", "MX"),
        *each("app.example app.cdn.example", "A CNAME AAAA"),
    ),
    used=("rewrite",),
)

TEMPLATED: Final = Theme(
    "templated",
    r"""
template IN A ip.example {
    match ^ip-(?P<a>[0-9]+)-(?P<b>[0-9]+)-(?P<c>[0-9]+)-(?P<d>[0-9]+)[.]ip[.]example[.]$
    answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
    fallthrough
}
template IN ANY several.example {
    answer "{{ .Name }} 60 IN A 192.0.2.1"
    answer "{{ .Name }} 60 IN A 192.0.2.2"
    authority "several.example. 60 IN NS ns.several.example."
    additional "ns.several.example. 60 IN A 192.0.2.53"
}
template ANY ANY denied.example {
    rcode NXDOMAIN
    authority "denied.example. 60 {{ .Class }} SOA ns.denied.example. host.denied.example. (1 60 60 60 60)"
}
template ANY ANY internal.cloudapp.net {
    match "^(?:[^.]+\.){4,}internal\.cloudapp\.net\.$"
    rcode NXDOMAIN
    fallthrough
}
template IN AAAA www.example.com {
    rcode NOERROR
}
template IN ANY refused.example {
    rcode REFUSED
}
template IN A strict.example {
    match ^one[.]
    answer "{{ .Name }} IN A 192.0.2.7"
}
template IN MX mx.example {
    answer "{{ .Name }} 60 IN MX 10 {{ .Name }}"
    additional "{{ .Name }} 60 IN A 192.0.2.25"
}
template IN ANY alias.example {
    answer "{{ .Name }} 60 IN CNAME www.example.com."
}
template IN PTR 2.0.192.in-addr.arpa {
    match ^(?P<d>[0-9]+)[.]2[.]0[.]192[.]in-addr[.]arpa[.]$
    answer "{{ .Name }} 60 IN PTR host-{{ .Group.d }}.example."
}
forward . {upstream}
""",
    (
        *each("ip-10-1-2-3.ip.example ip-10-1-2.ip.example x.ip.example ip.example", "A AAAA"),
        *each("several.example x.several.example", "A AAAA TXT ANY"),
        *each("denied.example a.denied.example", "A SOA ANY"),
        *each("a.b.c.d.internal.cloudapp.net a.internal.cloudapp.net", "A AAAA"),
        *each("www.example.com x.www.example.com", "A AAAA"),
        *each("refused.example one.strict.example two.strict.example", "A TXT"),
        *each("mx.example", "MX A"),
        *each("alias.example", "A AAAA CNAME TXT"),
        *each("7.2.0.192.in-addr.arpa x.2.0.192.in-addr.arpa", "PTR A"),
    ),
)

HOSTS: Final = Theme(
    "hosts",
    """
hosts {folder}/hosts {
    10.0.0.20 inline.example.com
    fd00::20 inline.example.com
    10.0.0.21 web.example.com
    192.168.49.1 host.minikube.internal
    ttl 60
    reload 0s
    fallthrough
}
forward . {upstream}
""",
    (
        *each("web.example.com web inline.example.com host.minikube.internal other.test six.example.com", EVERY),
        *each("one.wild.example.com two.wild.example.com www.example.com sub.web.example.com", "A AAAA"),
        *each("1.0.0.10.in-addr.arpa 20.0.0.10.in-addr.arpa 99.0.0.10.in-addr.arpa 1.49.168.192.in-addr.arpa", "PTR A"),
        *each("0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "PTR"),
    ),
    files={
        "hosts": """# a comment
10.0.0.1   Web.Example.COM web   # with another
10.0.0.2 web.example.com
fd00::1 web.example.com
10.0.0.3 *.wild.example.com
10.0.0.4 one.wild.example.com
fd00::5 six.example.com
10.0.0.8 other.test
"""
    },
)

ZONE_FILE: Final = """$ORIGIN zone.example.
$TTL 300
@ IN SOA ns.zone.example. host.zone.example. 2026112101 7200 1800 86400 60
@ IN NS ns.zone.example.
@ IN MX 10 mail
@ IN A 192.0.2.1
ns IN A 192.0.2.53
mail IN A 192.0.2.25
mail IN AAAA 2001:db8::25
www IN CNAME web
web IN A 192.0.2.80
web 60 IN TXT "web"
far IN CNAME www.example.com.
*.wild IN A 192.0.2.99
*.wild IN TXT "wild"
there.wild IN A 192.0.2.98
*.alias IN CNAME web
below.ent.deep IN A 192.0.2.70
sub IN NS ns.sub
ns.sub IN A 192.0.2.54
_http._tcp IN SRV 1 2 80 web
loose IN CNAME gone
gone2 IN CNAME nothere.zone.example.
dn IN DNAME other.zone.example.
x.other IN A 192.0.2.71
"""
FILED: Final = Theme(
    "file",
    """
file {folder}/db.zone zone.example
forward . {upstream}
""",
    (
        *each("zone.example www.zone.example web.zone.example mail.zone.example far.zone.example", EVERY),
        *each("none.zone.example a.wild.zone.example a.b.wild.zone.example there.wild.zone.example wild.zone.example"),
        *each("x.there.wild.zone.example a.alias.zone.example ent.deep.zone.example deep.zone.example"),
        *each("sub.zone.example www.sub.zone.example ns.sub.zone.example", "A NS DS TXT SOA"),
        *each("_http._tcp.zone.example _tcp.zone.example loose.zone.example gone2.zone.example", "SRV A CNAME"),
        *each("x.dn.zone.example dn.zone.example y.dn.zone.example", "A DNAME CNAME"),
    ),
    files={"db.zone": ZONE_FILE},
    used=("file",),
)

POLICIES: Final = Theme(
    "acl",
    """
acl blocked.example.com {
    block
}
acl filtered.example.com {
    filter type A net 127.0.0.0/8
}
acl example.com {
    block type MX TXT net 127.0.0.1
    allow net 127.0.0.0/8
    block
}
acl elsewhere.example {
    allow net 192.0.2.0/24
    block
}
cache 30
forward . {upstream}
""",
    (
        *each("blocked.example.com x.blocked.example.com filtered.example.com www.example.com elsewhere.example"),
        *each("www.example.com", "MX"),
        *each("other.example", "A"),
    ),
    used=("acl",),
)

DNS64: Final = Theme(
    "dns64",
    """
dns64 {
    prefix 64:ff9b::/96
    allow_ipv4
}
forward . {upstream}
""",
    (
        *each("www.example.com four.example.com mail.example.com alias.example.com nowhere.example.com", "A AAAA TXT"),
        *each("lost.example.com nosoa.example.com servfail.example.com many.example.com", "AAAA"),
    ),
    used=("dns64",),
)
DNS64_ALL: Final = Theme(
    "dns64 of all",
    """
dns64 {
    translate_all
    allow_ipv4
}
forward . {upstream}
""",
    each("www.example.com four.example.com alias.example.com nowhere.example.com", "A AAAA"),
    used=("dns64",),
)

SMALL: Final = Theme(
    "small directives",
    """
any
minimal
nsid here
bufsize 1000
cancel 3s
loadbalance round_robin
metadata
forward . {upstream}
""",
    (
        *each(
            "www.example.com extras.example.com many.example.com nowhere.example.com delegated.example.com", "A ANY MX"
        ),
        *each("alias.example.com one.example.com", "A AAAA"),
    ),
    used=("minimal",),
)
LOCAL: Final = Theme(
    "local",
    """
local
forward . {upstream}
""",
    (
        *each("localhost a.localhost localhost.example.com localhost.example", "A AAAA TXT NS SOA"),
        *each("1.0.0.127.in-addr.arpa 2.0.0.127.in-addr.arpa 127.in-addr.arpa 0.in-addr.arpa", "PTR SOA NS"),
        *each("0.0.127.in-addr.arpa 1.2.3.0.in-addr.arpa 255.in-addr.arpa", "PTR A"),
        *each("www.example.com", "A"),
    ),
    used=("local",),
)
HEADERS: Final = Theme(
    "header",
    """
header {
    response set aa ra
    response clear rd
}
forward . {upstream}
""",
    each("www.example.com nowhere.example.com servfail.example.com"),
)
WHOAMI: Final = Theme("whoami", "whoami", each("example.com a.b.c.example", "A AAAA TXT"), used=("whoami",))
CHAOS: Final = Theme(
    "chaos",
    'chaos KDNS-1 "an author"\nforward . {upstream}',
    (*each("version.bind version.server authors.bind hostname.bind id.server", "TXT"), *each("www.example.com", "A")),
    classes=("CH", "IN"),
    used=("chaos",),
)
VIEWS: Final = Theme(
    "view",
    """
view txt {
    expr type() == 'TXT'
}
template ANY ANY . {
    answer "{{ .Name }} 60 IN TXT view-one"
}
""",
    each("www.example.com x.example", "A AAAA TXT"),
    blocks="""
.:{port} {
    bind 127.0.0.1
    view aaaa {
        expr type() == 'AAAA' && name() endsWith '.com.'
    }
    template IN AAAA . {
        answer "{{ .Name }} 60 IN AAAA 2001:db8::1"
    }
}
.:{port} {
    bind 127.0.0.1
    forward . {upstream}
}
""",
)
BLOCKS: Final = Theme(
    "server blocks",
    "forward . {upstream}",
    (
        *each("www.example.com a.b.example b.example x.b.example other.zone.", "A DS"),
        *each("refused.b.example", "A"),
    ),
    blocks="""
b.example:{port} {
    bind 127.0.0.1
    template IN A b.example {
        answer "{{ .Name }} 60 IN A 192.0.2.2"
    }
}
x.b.example:{port} {
    bind 127.0.0.1
    template IN A x.b.example {
        answer "{{ .Name }} 60 IN A 192.0.2.3"
    }
}
""",
)
LOOSE: Final = Theme(
    "no upstream",
    'template IN A t.example {\n    answer "{{ .Name }} 60 IN A 192.0.2.2"\n}',
    each("t.example x.t.example www.example.com", "A AAAA ANY"),
)

# Names as a client asks for them first, whose list is first.example, new.example, and that lead to names of each sort.
SEARCHED: Final = Theme(
    "autopath",
    """
autopath {folder}/search.conf
forward . {upstream}
""",
    (
        *each("www.example.com.first.example a.first.example alias.example.com.first.example", EVERY),
        *each("b.first.example deep.b.first.example x.y.first.example nowhere.example.com.first.example"),
        *each("one.example.com.first.example lost.example.com.first.example x.new.example.first.example"),
        *each("short.example.com.first.example zero.example.com.first.example long.example.com.first.example", "A"),
        *each("many.example.com.first.example extras.example.com.first.example", "A AAAA"),
        *each("uneven.example.com.first.example nosoa.example.com.first.example", "A AAAA"),
        *each("servfail.example.com.first.example refused.example.com.first.example", "A TXT"),
        *each("www.example.com a.new.example www.example.com.new.example app.cdn.example.first.example", "A AAAA"),
    ),
    files={"search.conf": "nameserver 127.0.0.1\nsearch first.example new.example\n"},
    used=("autopath",),
)

THEMES: Final = (
    *(FORWARDED, REWRITTEN, TEMPLATED, HOSTS, FILED, POLICIES, DNS64, DNS64_ALL),
    *(SMALL, LOCAL, HEADERS, WHOAMI, CHAOS, VIEWS, BLOCKS, LOOSE, SEARCHED),
)
