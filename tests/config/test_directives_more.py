"""The directives that administrators add: what a line means, and what is wrong with it, where."""

from ipaddress import IPv6Network, ip_network

import pytest

from kdns.config.declarations import Settings
from kdns.config.directives.acl import Acl, Policy
from kdns.config.directives.autopath import Autopath, SearchPath
from kdns.config.directives.bare import Any, Debug, Minimal, Whoami
from kdns.config.directives.dns64 import WELL_KNOWN, Dns64
from kdns.config.directives.k8s_external import K8sExternal
from kdns.config.directives.local import Local
from kdns.config.directives.places import Cancel, Root, Timeouts, Tls
from kdns.config.directives.replies import Header, HeaderRule, Nsid
from kdns.config.directives.rewrite import Rewrite
from kdns.config.directives.view import Metadata, View
from kdns.config.directives.zonefiles import File, Transfer
from kdns.config.domains import EVERY_TYPE
from kdns.config.endpoints import EVERY_NETWORK
from kdns.config.expressions import Expression
from kdns.config.kinds import FilePath
from kdns.config.patterns import Pattern
from kdns.config.rewriting import (
    Answer,
    ClassRule,
    CnameRule,
    LocalRule,
    NameRule,
    NsidRule,
    Range,
    RcodeRule,
    RewriteRule,
    SubnetRule,
    TtlRule,
    TypeRule,
)
from kdns.config.settings import Address
from kdns.config.shapes import Text
from kdns.dns import names, types
from tests.config.directives import ZONES, settings, wrong, zone

ROOT = (names.ROOT,)
TEN = (ip_network("10.0.0.0/8"),)
READ: list[tuple[str, Settings]] = [
    ("any", Any()),
    ("debug", Debug()),
    ("minimal", Minimal()),
    ("whoami", Whoami()),
    ("metadata", Metadata(zones=ZONES)),
    ("metadata a", Metadata(zones=zone("a"))),
    ("root /etc", Root(path=FilePath("/etc"))),
    ("cancel", Cancel(timeout_s=5.001)),
    ("cancel 1s", Cancel(timeout_s=1.0)),
    (
        "timeouts {\nread 1s\nwrite 2\nidle 24h\nmaxtcpqueries -1\n}",
        Timeouts(read_s=1.0, write_s=2.0, idle_s=86400.0, questions_max=-1),
    ),
    ("nsid", Nsid()),
    ("nsid Use The Force", Nsid(data=Text("Use The Force"))),
    ("tls c k", Tls(certificate=FilePath("c"), key=FilePath("k"))),
    (
        "tls c k a {\nclient_auth require_and_verify\nkeylog l\n}",
        Tls(
            certificate=FilePath("c"),
            key=FilePath("k"),
            authorities=FilePath("a"),
            client_auth="require_and_verify",
            key_log=FilePath("l"),
        ),
    ),
    (
        "header {\nquery set rd\nresponse Clear AA ra\nresponse set ra\n}",
        Header(
            query=(HeaderRule(True, ("rd",)),),
            response=(HeaderRule(False, ("aa", "ra")), HeaderRule(True, ("ra",))),
        ),
    ),
    ("local", Local()),
    ("local {\nlocalhost_prefix off\n}", Local(localhost_prefix=False)),
    ("dns64", Dns64(prefix=WELL_KNOWN)),
    ("dns64 2001:db8::/96", Dns64(short_prefix=IPv6Network("2001:db8::/96"))),
    (
        "dns64 {\nprefix 2001:db8::/32\ntranslate_all\nallow_ipv4\n}",
        Dns64(prefix=IPv6Network("2001:db8::/32"), translate_all=True, allow_ipv4=True),
    ),
    (
        "k8s_external a b {\nttl 30\napex ns\nheadless\nfallthrough\n}",
        K8sExternal(zones=zone("a", "b"), ttl_s=30, apex="ns", headless=True, fallthrough=ROOT),
    ),
    ("autopath @kubernetes", Autopath(zones=ZONES, search=SearchPath(None))),
    ("autopath a b /etc/resolv.conf", Autopath(zones=zone("a", "b"), search=SearchPath(FilePath("/etc/resolv.conf")))),
    ("file db a", File(file=FilePath("db"), zones=zone("a"))),
    (
        "file db {\nreload 0s\nreload_by_mtime\nfallthrough a\n}",
        File(file=FilePath("db"), zones=ZONES, reload_s=0.0, reload_by_mtime=True, fallthrough=zone("a")),
    ),
    ("transfer {\nto *\n}", Transfer(zones=ZONES, to=(None,))),
    (
        "transfer a {\nto 192.0.2.1 [::1]:54\nto 192.0.2.2:55\nsource 192.0.2.9\n}",
        Transfer(
            zones=zone("a"),
            to=(Address("192.0.2.1", 53), Address("::1", 54), Address("192.0.2.2", 55)),
            source="192.0.2.9",
        ),
    ),
    ("view a", View(name="a")),
    (
        "view a {\nexpr incidr(client_ip(), '10.0.0.0/8')\nexpr type() == 'A'\n}",
        View(name="a", conditions=(Expression("incidr(client_ip(), '10.0.0.0/8')"), Expression("type() == 'A'"))),
    ),
    ("acl", Acl(zones=ZONES)),
    (
        "acl a {\nallow net 10.0.0.0/8 type A AAAA\nBLOCK type * net *\nfilter\ndrop net 192.0.2.1 ::1 net 10.0.0.0/8\n}",
        Acl(
            zones=zone("a"),
            policies=(
                Policy("allow", (types.A, types.AAAA), TEN),
                Policy("block", (EVERY_TYPE,), EVERY_NETWORK),
                Policy("filter", (EVERY_TYPE,), EVERY_NETWORK),
                Policy("drop", (EVERY_TYPE,), (ip_network("192.0.2.1/32"), ip_network("::1/128"), *TEN)),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_directive_is_read(text: str, expected: Settings) -> None:
    assert settings(text) == expected


def pattern(text: str) -> Pattern:
    return Pattern.compiled(text)


RULES: list[tuple[str, RewriteRule]] = [
    ("name a b", NameRule("a", "b")),
    ("name exact a b", NameRule("a", "b")),
    ("name suffix a", NameRule("suffix", "a")),
    ("NAME Prefix a b", NameRule("a", "b", "prefix")),
    ("name suffix .a .b answer auto", NameRule(".a", ".b", "suffix", auto=True)),
    ("name regex (.*)a {1}b", NameRule(pattern("(.*)a"), "{1}b")),
    (
        "name regex (.*)a {1}b answer name (.*)b {1}a value c d answer value e f",
        NameRule(
            pattern("(.*)a"),
            "{1}b",
            answers=(
                Answer("name", pattern("(.*)b"), "{1}a"),
                Answer("value", pattern("c"), "d"),
                Answer("value", pattern("e"), "f"),
            ),
        ),
    ),
    (
        "name exact a b answer auto value c d",
        NameRule("a", "b", auto=True, answers=(Answer("value", pattern("c"), "d"),)),
    ),
    ("type any hinfo", TypeRule(types.ANY, types.HINFO)),
    ("class CH IN", ClassRule(types.CH, types.IN)),
    ("ttl a 30", TtlRule("a", Range(30, 30))),
    ("ttl suffix a 30-300", TtlRule("a", Range(30, 300), "suffix")),
    ("ttl regex a 30-", TtlRule(pattern("a"), Range(30, 2**31 - 1))),
    ("ttl a -30", TtlRule("a", Range(0, 30))),
    ("rcode a SERVFAIL 0", RcodeRule("a", types.SERVFAIL, types.NOERROR)),
    ("rcode regex a nxdomain REFUSED", RcodeRule(pattern("a"), types.NXDOMAIN, types.REFUSED)),
    ("cname regex (.*)a {1}b", CnameRule(pattern("(.*)a"), "{1}b")),
    ("cname substring a b", CnameRule("a", "b", "substring")),
    ("edns0 local set 0xffee 0x6162", LocalRule(0xFFEE, "set", b"ab")),
    ("edns0 local append 65001 ab revert", LocalRule(65001, "append", b"ab", revert=True)),
    ("edns0 local replace 0xffee {client_ip}", LocalRule(0xFFEE, "replace", "{client_ip}")),
    ("edns0 local set 0xffee {a/b}", LocalRule(0xFFEE, "set", "{a/b}")),
    ("edns0 local unset 0xffee", LocalRule(0xFFEE)),
    ("edns0 nsid set revert", NsidRule("set", revert=True)),
    ("edns0 nsid unset", NsidRule()),
    ("edns0 subnet set 24 56", SubnetRule("set", 24, 56)),
    ("edns0 subnet unset", SubnetRule()),
]


@pytest.mark.parametrize(("text", "expected"), RULES)
def test_a_rewrite_rule_is_read_on_the_line_and_in_the_block(text: str, expected: RewriteRule) -> None:
    assert settings(f"rewrite {text}") == Rewrite(rule=expected)
    assert settings(f"rewrite continue {text}") == Rewrite(mode="continue", rule=expected)
    assert settings(f"rewrite STOP {{\n{text}\n}}") == Rewrite(rule=expected)
    assert settings(f"rewrite {{\n{text.replace(' answer', chr(10) + 'answer')}\n}}") == Rewrite(rule=expected)


WRONG = [
    ("any a", ['1:5 any: found "a", expected nothing more']),
    ("root", ["1:5 root: found the end of the line, expected PATH, the path of a file"]),
    ("cancel 0s", ['1:8 cancel: found "0s", expected TIMEOUT, a duration such as 5s or 1m30s, above 0, or nothing more']),
    ("timeouts", ["1:1 timeouts: found no timeout, expected one at least"]),
    ("timeouts {\nread 25h\n}", ['2:6 read: found "25h", expected DURATION, a duration such as 5s or 1m30s, from 1s to 24h']),
    ("timeouts {\nmaxtcpqueries 0\n}", ["2:1 timeouts: found 0 as maxtcpqueries, expected -1 or a number above 0"]),
    ("tls c", ["1:6 tls: found the end of the line, expected KEY, the path of a file"]),
    ("header", ["1:1 header: found no rule, expected one at least"]),
    ("header {\nquery set ad\n}", ['2:11 query: found "ad", expected FLAG, "aa", "ra" or "rd"']),
    ("header {\nanswer set aa\n}", ['2:1 header has no option "answer"']),
    ("dns64 64:ff9b::/100", ['1:7 dns64: found "64:ff9b::/100", expected PREFIX, an IPv6 prefix of 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits, or nothing more']),
    ("autopath", ["1:9 autopath: found the end of the line, expected ZONE or SEARCH"]),
    ("autopath @erratic", ['1:10 autopath: found "@erratic", expected ZONE or SEARCH']),
    ("file db {\nupstream\n}", ['2:1 warning: "upstream" has no effect here']),
    ("file db {\nno_reload\n}", ['2:1 file has no option "no_reload" any more']),
    ("transfer", ["1:1 transfer: found no to, expected one at least"]),
    ("transfer {\nto *\nsource ::1\nsource ::1\n}", ['4:1 found "source" again, expected it once']),
    ("acl {\nallow type net *\n}", ['2:12 acl: found "net", expected TYPE, a record type such as AAAA, or * for all']),
    (
        "view a {\nexpr type() == 1\n}",
        [
            (
                '2:6 found "type()", expected a condition '
                "(found a text and a whole number around ==, expected the same, at character 8)"
            ),
        ],
    ),
    ("acl {\ndeny\n}", ['2:1 acl: found "deny", expected ACTION, "allow", "block", "filter" or "drop"']),
    ("acl {\nallow from 10.0.0.0/8\n}", ['2:7 acl: found "from", expected "type", "net" or nothing more']),
    ("rewrite", ["1:8 rewrite: found the end of the line, expected MODE or RULE"]),
    ("rewrite nme a b", ['1:9 found "nme", expected one of "name", "type", "class", "ttl", "rcode", "cname", "edns0"']),
    ("rewrite answer auto", ['1:9 found "answer", expected one of "name", "type", "class", "ttl", "rcode", "cname", "edns0"']),
    ("rewrite name a", ["1:15 name: found the end of the line, expected TO, a name, with {1} for what a group fits"]),
    ("rewrite name regex a( b", ['1:20 name: found "a(", expected FROM, a regular expression as Go has them (missing ): a()']),
    ("rewrite name regex (.*)a {2}", ["1:1 rewrite: found a group in a target, such as {2}, that its regular expression doesn't have"]),
    ("rewrite name exact a b answer auto name c d", ["1:1 rewrite: found answer auto and answer name, expected one of them"]),
    ("rewrite ttl a -", ['1:15 ttl: found "-", expected SECONDS, seconds, or a range such as 30-300, 30- or -300']),
    ("rewrite edns0 local set 0xffee {nothing}", ['1:32 edns0: found "{nothing}", expected DATA, one of {qname}, {qtype}, {client_ip}, {client_port}, {protocol}, or the label of a metadatum in braces']),
    ("rewrite edns0 local set 0xffee {/}", ['1:32 edns0: found "{/}", expected DATA, one of {qname}, {qtype}, {client_ip}, {client_port}, {protocol}, or the label of a metadatum in braces']),
    ("rewrite name a a..b", ["1:1 rewrite: found TO that is no domain name"]),
    ("rewrite cname exact a a..b", ["1:1 rewrite: found TO that is no domain name"]),
    ("rewrite edns0 subnet set 33 0", ['1:26 edns0: found "33", expected IPV4BITS, a whole number from 0 to 32']),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str, expected: list[str]) -> None:
    assert wrong(text) == expected


def test_the_prefix_of_dns64_is_that_of_the_line_or_of_the_block() -> None:
    assert Dns64().used_prefix == WELL_KNOWN
    assert Dns64(short_prefix=IPv6Network("2001:db8::/96")).used_prefix == IPv6Network("2001:db8::/96")
