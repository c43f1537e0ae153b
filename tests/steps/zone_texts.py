"""Zones as master-file text, for tests: read as the server reads them, from a file."""

from pathlib import Path
from tempfile import TemporaryDirectory

from kdns.dns.authority import Authority
from kdns.dns.names import from_text
from kdns.steps.masterfile import pack, read, unpack

EXAMPLE = """
$ORIGIN example.org.
$TTL 300
@       3600 SOA ns hostmaster 7 7200 1800 86400 60
        NS   ns
        NS   ns.elsewhere.test.
        MX   10 mail
        MX   20 mail.elsewhere.test.
ns      A    192.0.2.1
        AAAA 2001:db8::1
mail    A    192.0.2.2
www     A    192.0.2.3
        A    192.0.2.4
WWW2    CNAME www
alias   CNAME alias2
alias2  CNAME www
away    CNAME www.elsewhere.test.
nowhere CNAME none.deep
nodata  CNAME mail
round1  CNAME round2
round2  CNAME round1
_sip._tcp SRV 0 5 5060 mail
svc     HTTPS 1 mail alpn=h2
deep.er.ent TXT "deep"
; wildcards (RFC 4592 section 2.2.1)
*.wild  TXT  "any"
        MX   10 mail
host.wild A  192.0.2.5
_ssh._tcp.h.wild SRV 0 0 22 host
sub.*.wild TXT "below a star"
*.alias-wild CNAME www
*.ent.star.x TXT "an asterisk below"
; delegations
sub     NS   ns.sub
        NS   ns.elsewhere.test.
        DS   1 8 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
ns.sub  A    192.0.2.6
below.sub A  192.0.2.7
into    CNAME www.sub
; DNAME
old     DNAME new
        TXT  "at a DNAME"
www.new A    192.0.2.8
far     DNAME elsewhere.test.
long    DNAME {0}.{0}.{0}
""".format("a" * 60)


def authority(text: str = EXAMPLE, origin: str = "example.org.") -> Authority:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "db"
        path.write_text(text)
        return Authority(from_text(origin), unpack(pack(read(str(path), origin))).sets)
