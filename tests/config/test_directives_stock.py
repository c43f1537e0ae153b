"""The directives of stock Corefiles: what a line means, and what is wrong with it, where."""

from ipaddress import ip_network

import pytest

from kdns.config.declarations import Settings
from kdns.config.directives.bare import Loop
from kdns.config.directives.cache import Cache, Keeping, Prefetch, Stale
from kdns.config.directives.errors import Consolidation, Errors
from kdns.config.directives.forward import Certificates, Forward, HealthCheck
from kdns.config.directives.hosts import Host, Hosts
from kdns.config.directives.kubernetes import ClientCertificate, Kubeconfig, Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.log import Log
from kdns.config.directives.places import Bind, Bound
from kdns.config.directives.probes import Health, Prometheus, Ready
from kdns.config.directives.reload import Reload
from kdns.config.directives.replies import Bufsize, Chaos
from kdns.config.directives.template import ExtendedError, Template
from kdns.config.endpoints import Upstream
from kdns.config.kinds import FilePath
from kdns.config.labels import Requirement
from kdns.config.patterns import Pattern
from kdns.config.settings import Address
from kdns.config.shapes import Text
from kdns.dns import names, types
from tests.config.directives import ZONES, settings, wrong, zone

UPSTREAMS = (Upstream("address", "192.0.2.1"),)
ROOT = (names.ROOT,)
FORWARD = Forward(origin=ROOT, upstreams=UPSTREAMS)
CLUSTER = Kubernetes(zones=zone("cluster.local"))
TEMPLATE = Template(qclass=types.IN, qtype=types.A, zones=ZONES)


def forward(options: str) -> str:
    return f"forward . 192.0.2.1 {{\n{options}\n}}"


def kubernetes(options: str) -> str:
    return f"kubernetes cluster.local {{\n{options}\n}}"


def template(options: str) -> str:
    return f"template IN A {{\n{options}\n}}"


READ: list[tuple[str, Settings]] = [
    ("errors", Errors()),
    ("errors stdout", Errors()),
    (
        "errors {\nconsolidate 5m a$ warning show_first\nconsolidate 1s b\n}",
        Errors(
            consolidations=(
                Consolidation(300.0, Pattern.compiled("a$"), "warning", show_first=True),
                Consolidation(1.0, Pattern.compiled("b")),
            )
        ),
    ),
    ("log", Log()),
    ("log a b", Log(names=zone("a", "b"))),
    ("log a {combined}", Log(names=zone("a"), format="{combined}")),
    ("log {combined}", Log(format="{combined}")),
    ("log . {\nclass denial error\nclass success\n}", Log(classes=("denial", "error", "success"))),
    ("health", Health()),
    ("health 127.0.0.1:80 {\nlameduck 5s\n}", Health(address=Address("127.0.0.1", 80), lameduck_s=5.0)),
    ("ready :81 {\nmonitor continuously\n}", Ready(address=Address("", 81), monitor="continuously")),
    ("prometheus", Prometheus(address=Address("127.0.0.1", 9153))),
    ("prometheus :9153", Prometheus(address=Address("", 9153))),
    ("loop", Loop()),
    ("reload", Reload(interval_s=30.0, jitter_s=15.0)),
    ("reload 10s 0s", Reload(interval_s=10.0, jitter_s=0.0)),
    ("loadbalance", Loadbalance()),
    ("loadbalance round_robin {\nprefer 10.0.0.0/8\n}", Loadbalance(preferred=(ip_network("10.0.0.0/8"),))),
    ("loadbalance weighted w {\nreload 1s\n}", Loadbalance(weights=FilePath("w"), reload_s=1.0)),
    ("bufsize", Bufsize(octets=1232)),
    ("bufsize 512", Bufsize(octets=512)),
    ("chaos", Chaos()),
    ('chaos v1 "A B" c', Chaos(version=Text("v1"), authors=("A B", "c"))),
    ("bind 127.0.0.1 eth0", Bind(to=(Bound("127.0.0.1", is_interface=False), Bound("eth0", is_interface=True)))),
    ("bind lo {\nexcept ::1\n}", Bind(to=(Bound("lo", True),), exceptions=(Bound("::1", False),))),
    ("cache", Cache(zones=ZONES)),
    ("cache 30", Cache(zones=ZONES, ttl_s=30)),
    ("cache 30 a b", Cache(zones=zone("a", "b"), ttl_s=30)),
    ("cache a", Cache(zones=zone("a"))),
    ("cache {\nsuccess 9\ndenial 8 7 0\n}", Cache(zones=ZONES, success=Keeping(9), denial=Keeping(8, 7, 0))),
    ("cache {\nprefetch 5\n}", Cache(zones=ZONES, prefetch=Prefetch(5, 60.0, 10))),
    ("cache {\nprefetch 5 1m30s 20%\n}", Cache(zones=ZONES, prefetch=Prefetch(5, 90.0, 20))),
    ("cache {\nserve_stale\n}", Cache(zones=ZONES, serve_stale=Stale(3600.0))),
    ("cache {\nserve_stale 1m Immediate 5s 6s\n}", Cache(zones=ZONES, serve_stale=Stale(60.0, ttl_s=5, recheck_s=6))),
    ("cache {\nserve_stale 1m verify 4s 5s 6s\n}", Cache(zones=ZONES, serve_stale=Stale(60.0, True, 4, 5, 6))),
    (
        "cache {\nserve_stale\nserve_stale_policy prefer_positive\n}",
        Cache(zones=ZONES, serve_stale=Stale(), serve_stale_policy="prefer_positive"),
    ),
    ("cache {\nservfail 0\nkeepttl\n}", Cache(zones=ZONES, servfail_s=0.0, keep_ttl=True)),
    (
        "cache {\ndisable success a b\ndisable denial\n}",
        Cache(zones=ZONES, disable_success=zone("a", "b"), disable_denial=ROOT),
    ),
    ("forward . 192.0.2.1", FORWARD),
    (
        "forward a 192.0.2.1:54 /etc/resolv.conf dns.example",
        Forward(
            origin=zone("a"),
            upstreams=(
                Upstream("address", "192.0.2.1", port=54),
                Upstream("file", "/etc/resolv.conf"),
                Upstream("host", "dns.example"),
            ),
        ),
    ),
    (forward("except a b\nexcept 10.0.0.0/8"), FORWARD.replaced(exceptions=zone("a", "b", "10.in-addr.arpa"))),
    (forward("force_tcp\nprefer_udp"), FORWARD.replaced(force_tcp=True, prefer_udp=True)),
    (forward("expire 1m\nmax_age 2m"), FORWARD.replaced(expire_s=60.0, max_age_s=120.0)),
    (forward("max_idle_conns 3\nread_timeout 3s"), FORWARD.replaced(max_idle_conns=3, read_timeout_s=3.0)),
    (forward("max_fails 0\nmax_connect_attempts 0"), FORWARD.replaced(max_fails=0, max_connect_attempts=0)),
    (forward("policy sequential"), FORWARD.replaced(policy="sequential")),
    (forward("tls"), FORWARD.replaced(tls=Certificates())),
    (forward("tls ca"), FORWARD.replaced(tls=Certificates(authorities=FilePath("ca")))),
    (forward("tls c k"), FORWARD.replaced(tls=Certificates(FilePath("c"), FilePath("k")))),
    (forward("tls c k ca"), FORWARD.replaced(tls=Certificates(FilePath("c"), FilePath("k"), FilePath("ca")))),
    (forward("tls_servername a.example"), FORWARD.replaced(tls_server_name="a.example")),
    (forward("health_check 5s"), FORWARD.replaced(health_check=HealthCheck(5.0))),
    (
        forward("health_check 5s domain a no_rec"),
        FORWARD.replaced(health_check=HealthCheck(5.0, recursion=False, domain=names.from_text("a"))),
    ),
    (forward("max_concurrent 1000"), FORWARD.replaced(max_concurrent=1000)),
    (
        forward("next NXDOMAIN\nnext servfail\nnext_on_nodata"),
        FORWARD.replaced(next=(types.NXDOMAIN, types.SERVFAIL), next_on_nodata=True),
    ),
    (
        forward("failover REFUSED\nfailfast_all_unhealthy_upstreams"),
        FORWARD.replaced(failover=(types.REFUSED,), fail_fast=True),
    ),
    (
        forward("source_address 192.0.2.9\nresolver 192.0.2.8 192.0.2.7:54"),
        FORWARD.replaced(source_address="192.0.2.9", resolvers=(Address("192.0.2.8", 53), Address("192.0.2.7", 54))),
    ),
    ("kubernetes", Kubernetes(zones=ZONES)),
    (
        "kubernetes cluster.local 10.0.0.0/8",
        Kubernetes(zones=zone("cluster.local", "10.in-addr.arpa")),
    ),
    (kubernetes("pods verified\nttl 0"), CLUSTER.replaced(pods="verified", ttl_s=0)),
    (kubernetes("multicluster"), CLUSTER),
    (kubernetes("multicluster cluster.local"), CLUSTER.replaced(multicluster=zone("cluster.local"))),
    (kubernetes("fallthrough"), CLUSTER.replaced(fallthrough=ROOT)),
    (kubernetes("fallthrough a b"), CLUSTER.replaced(fallthrough=zone("a", "b"))),
    (kubernetes("namespaces a b\nnamespaces c"), CLUSTER.replaced(namespaces=("a", "b", "c"))),
    (
        kubernetes("labels a in (b, c), !d"),
        CLUSTER.replaced(labels=(Requirement("a", "In", ("b", "c")), Requirement("d", "DoesNotExist"))),
    ),
    (kubernetes("namespace_labels a=b"), CLUSTER.replaced(namespace_labels=(Requirement("a", "In", ("b",)),))),
    (kubernetes("noendpoints\nendpoint_pod_names"), CLUSTER.replaced(no_endpoints=True, endpoint_pod_names=True)),
    (kubernetes("ignore empty_service\nzonal"), CLUSTER.replaced(ignore_empty_services=True, zonal=True)),
    (kubernetes("endpoint https://192.0.2.1"), CLUSTER.replaced(endpoints=("https://192.0.2.1",))),
    (
        kubernetes("endpoint u\ntls c k a"),
        CLUSTER.replaced(endpoints=("u",), tls=ClientCertificate(FilePath("c"), FilePath("k"), FilePath("a"))),
    ),
    (kubernetes("kubeconfig f"), CLUSTER.replaced(kubeconfig=Kubeconfig(FilePath("f")))),
    (kubernetes("kubeconfig f c"), CLUSTER.replaced(kubeconfig=Kubeconfig(FilePath("f"), "c"))),
    (kubernetes("startup_timeout 0s"), CLUSTER.replaced(startup_timeout_s=0.0)),
    (
        kubernetes("apiserver_qps 2.5\napiserver_burst 3\napiserver_max_inflight 4"),
        CLUSTER.replaced(api_qps=2.5, api_burst=3, api_max_in_flight=4),
    ),
    ("hosts", Hosts(zones=ZONES)),
    ("hosts f a b", Hosts(file=FilePath("f"), zones=zone("a", "b"))),
    (
        "hosts {\n10.0.0.1 a b\nttl 60\nreload 0s\nno_reverse\nfallthrough\nfallthrough_unsupported\n::1 c\n}",
        Hosts(
            zones=ZONES,
            inline=(Host("10.0.0.1", zone("a", "b")), Host("::1", zone("c"))),
            ttl_s=60,
            reload_s=0.0,
            no_reverse=True,
            fallthrough=ROOT,
            fallthrough_unsupported=True,
        ),
    ),
    ("template IN A", TEMPLATE),
    ("template ANY ANY a", Template(qclass=types.CLASS_ANY, qtype=types.ANY, zones=zone("a"))),
    (
        template('match a b\nmatch "c d"\nrcode NXDOMAIN\nfallthrough\nupstream'.removesuffix("\nupstream")),
        TEMPLATE.replaced(
            patterns=tuple(Pattern.compiled(each) for each in ("a", "b", "c d")),
            rcode=types.NXDOMAIN,
            fallthrough=ROOT,
        ),
    ),
    (
        template('answer "{{ .Name }} A 1" "b TXT b"\nanswer "c NS c"\nadditional "d NS d"\nauthority "e NS e"'),
        TEMPLATE.replaced(
            answers=("{{ .Name }} A 1", "b TXT b", "c NS c"), additionals=("d NS d",), authorities=("e NS e",)
        ),
    ),
    (
        template('ederror 15 "not here"'),
        TEMPLATE.replaced(extended_error=ExtendedError(15, "not here")),
    ),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_directive_is_read(text: str, expected: Settings) -> None:
    assert settings(text) == expected


WRONG = [
    ("errors file", ['1:8 errors: found "file", expected "stdout" or nothing more']),
    ("errors {\nstacktrace\n}", ['2:1 warning: "stacktrace" has no effect here']),
    ("log a stdout", ['1:7 warning: "stdout" is taken as a name, nothing else is logged: leave it out']),
    ("log {\nclass all none\n}", ['2:11 class: found "none", expected CLASS, "all", "success", "denial" or "error", or nothing more']),
    ("health 80", ['1:8 health: found "80", expected ADDRESS, an address to listen on such as :8080 or 127.0.0.1:8080, or nothing more']),
    ("health {\nlameduck\n}", ["2:9 lameduck: found the end of the line, expected DURATION, a duration such as 5s or 1m30s"]),
    ("health {\nlameduk 5s\n}", ['2:1 health has no option "lameduk"']),
    ("prometheus {\ntls f\n}", ['2:1 kdns has no option "tls" of prometheus']),
    ("loop a", ['1:6 loop: found "a", expected nothing more']),
    ("loop {\na\n}", ['2:1 loop has no option "a"']),
    ("reload 1s", ['1:8 reload: found "1s", expected INTERVAL, a duration such as 5s or 1m30s, of 2s or more, or nothing more']),
    ("loadbalance weighted", ["1:21 loadbalance: found the end of the line, expected FILE, the path of a file"]),
    ("loadbalance {\nreload 1s\n}", ["2:1 loadbalance: found reload without weighted, expected both"]),
    ("bufsize 511", ['1:9 bufsize: found "511", expected SIZE, a whole number from 512 to 4096, or nothing more']),
    ("cache 30s", ['1:7 warning: "30s" is taken as the name of a zone']),
    ("cache 0", ['1:7 cache: found "0", expected TTL, ZONE or nothing more']),
    (
        "cache {\nsuccess\ndenial x\nprefetch 1 1m 5%\n}",
        [
            "2:8 success: found the end of the line, expected CAPACITY, a whole number of 0 or more",
            '3:8 denial: found "x", expected CAPACITY, a whole number of 0 or more',
            '4:15 prefetch: found "5%", expected PERCENTAGE, a percentage from 10% to 90%, or nothing more',
        ],
    ),
    ("cache {\nserve_stale 1m often\n}", ['2:16 serve_stale: found "often", expected "immediate", "verify" or nothing more']),
    ("cache {\nserve_stale 1m immediate 500ms\n}", ["2:1 cache: expected whole seconds as the TTL of serve_stale"]),
    ("cache {\nserve_stale_policy prefer_positive\n}", ["2:1 cache: found serve_stale_policy without serve_stale, expected both"]),
    ("cache {\ndisable all\n}", ['2:9 disable: found "all", expected "success"']),
    ("forward", ["1:8 forward: found the end of the line, expected FROM, a zone or a range of addresses"]),
    ("forward .", ["1:10 forward: found the end of the line, expected TO, an IP address, a file like resolv.conf or a host name"]),
    ("forward . " + "192.0.2.1 " * 16, ["1:1 forward: expected at most 15 upstreams"]),
    ("forward 10.0.0.0/9 192.0.2.1", ["1:1 warning: forward: found a range of several zones: only the first is forwarded"]),
    ("forward . tls://192.0.2.1", ["1:1 warning: forward: tls:// or https:// without tls_servername: certificates are held against the address"]),
    (forward("max_age 5s"), ["2:1 forward: found a max_age below expire, expected it above or 0"]),
    ("forward . https://192.0.2.1", ["1:1 warning: forward: tls:// or https:// without tls_servername: certificates are held against the address"]),
    (forward("doh_method PUT"), ['2:12 doh_method: found "PUT", expected METHOD, "GET" or "POST"']),
    (
        "forward . https://192.0.2.1%a/b?dns=c",
        ['1:11 forward: found "https://192.0.2.1%a/b?dns=c", expected TO, an https:// upstream whose path has neither ? nor # nor other characters that need a %'],
    ),
    (forward("failover NOERROR"), ["2:1 forward: found NOERROR in failover, expected rcodes of failures"]),
    (
        "forward . tls://192.0.2.1%a {\ntls_servername b\n}",
        ["2:1 forward: found tls_servername and an upstream with a name of its own, expected one of them"],
    ),
    (forward("policy last"), ['2:8 policy: found "last", expected POLICY, "random", "round_robin" or "sequential"']),
    (forward("spray"), ['2:1 forward has no option "spray" any more']),
    (forward("max_fails 1\nmax_fails 2"), ['3:1 warning: found "max_fails" again: this one counts']),
    (forward("max_fails 1 {\na\n}"), ['2:1 found a block behind "max_fails", expected none']),
    ("kubernetes 10.in-addr.arpa", ["1:1 kubernetes: found reverse zones alone, expected a zone such as cluster.local"]),
    (kubernetes("upstream"), ['2:1 kubernetes has no option "upstream" any more']),
    (kubernetes("resyncperiod 5m"), ['2:1 kubernetes has no option "resyncperiod" any more']),
    (kubernetes("ttl 3601"), ['2:5 ttl: found "3601", expected TTL, seconds as a whole number from 0 to 3600, without a unit']),
    (kubernetes("labels a b"), ['2:8 found "a", expected a label selector (found "a b")']),
    (kubernetes("tls a b"), ["2:8 tls: found the end of the line, expected CA, the path of a file"]),
    (
        kubernetes("namespaces a\nnamespace_labels b"),
        ["3:1 kubernetes: found namespaces and namespace_labels, expected one of them"],
    ),
    (
        kubernetes("multicluster clusterset.local"),
        [
            (
                "2:1 kubernetes: found a zone behind multicluster that isn't among the directive's, expected one of those"
                " that aren't reverse"
            )
        ],
    ),
    (kubernetes("noendpoints\nzonal"), ["3:1 kubernetes: found zonal and noendpoints, expected one of them"]),
    (kubernetes("endpoint a b"), ["2:1 warning: kubernetes: found several endpoints: the first is used"]),
    (
        kubernetes("apiserver_burst 3"),
        ["2:1 warning: kubernetes: found apiserver_burst without apiserver_qps: it has no effect"],
    ),
    (kubernetes("tls c k a"), ["2:1 warning: kubernetes: found tls without endpoint: it has no effect"]),
    (
        kubernetes("kubeconfig f\nendpoint u"),
        ["2:1 warning: kubernetes: found endpoint or tls beside kubeconfig, which counts"],
    ),
    ("hosts {\nfalthrough\n}", ['2:1 hosts: found "falthrough", expected ADDRESS, an IP address']),
    ("hosts {\n10.0.0.1\n}", ["2:9 hosts: found the end of the line, expected NAME, a domain name"]),
    ("hosts {\nfallthrough_unsupported\n}", ["2:1 hosts: found fallthrough_unsupported without fallthrough, expected both"]),
    ("template IN", ["1:12 template: found the end of the line, expected TYPE, a record type such as AAAA"]),
    ("template in A", ['1:10 template: found "in", expected CLASS, a class such as IN']),
    (template("match a("), ['2:7 match: found "a(", expected REGEX, a regular expression as Go has them (missing ): a()']),
    (template('answer "a A 1.2.3"'), ['2:8 answer: found "a A 1.2.3", expected RR, a record as a Go template (found 1.2.3, expected an IPv4 address)']),
    (template("answer {{ .Nme }}"), ['2:8 answer: found "{{", expected RR, a record as a Go template (found {{ at character 1 without }} behind it)']),
    (template('authority "{{ end }}"'), ['2:11 authority: found "{{ end }}", expected RR, a record as a Go template (found end in the action at character 1, expected a function: and, eq, ge, gt, index, le, len, lt, ne, not, or, parseInt, print, printf; or if, else, end)']),
    (template('answer "{{ .Group.n }} A 1.2.3.4"'), ["1:1 template: found a group in a record, as in .Group.name, that no pattern has"]),
    (template('match (?P<n>a)\nanswer "{{ .Group.m }} A 1.2.3.4"'), ["1:1 template: found a group in a record, as in .Group.name, that no pattern has"]),
    (template("var n m\nvar m 1"), ["3:1 template: found a variable in var that no var before it sets"]),
    (template("var n 1\nexpr n == m"), ["3:1 template: found a variable in expr that no var sets"]),
    (template("upstream"), ['2:1 warning: "upstream" has no effect here']),
    ("bind", ["1:5 bind: found the end of the line, expected ADDRESS, an IP address or the name of an interface"]),
    ("bind 127.0.0.256", ['1:6 bind: found "127.0.0.256", expected ADDRESS, an IP address or the name of an interface']),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong_is_said_with_its_place(text: str, expected: list[str]) -> None:
    assert wrong(text) == expected


def test_kept_replies_have_the_ttl_of_their_sort_then_of_the_directive_then_the_default() -> None:
    cache = Cache(ttl_s=30, denial=Keeping(9, 5))
    assert (cache.kept_success.ttl_max_s, cache.kept_denial.ttl_max_s) == (30, 5)
    assert (Cache().kept_success.ttl_max_s, Cache().kept_denial.ttl_max_s) == (3600, 1800)
    assert (Cache().stale_s, Cache(serve_stale=Stale(5.0)).stale_s) == (3600.0, 5.0)
    assert Cache().kept_success.octets == Cache().kept_denial.octets == 4 << 20


def test_the_jitter_is_half_the_interval_at_the_most() -> None:
    assert Reload(interval_s=10.0).used_jitter_s == 5.0


def test_the_cluster_s_zones_are_told_from_reverse_ones() -> None:
    cluster = Kubernetes(zones=zone("a", "10.in-addr.arpa", "ip6.arpa", "b"))
    assert cluster.origins == zone("a", "b")
    assert cluster.reverse == zone("10.in-addr.arpa", "ip6.arpa")


@pytest.mark.parametrize(
    ("capacity", "kib"), [(0, 512), (1, 512), (512, 512), (1000, 1000), (4096, 4096), (9984, 4096), (99_840, 40_960)]
)
def test_a_sort_s_memory_follows_its_capacity(capacity: int, kib: int) -> None:
    assert Keeping(capacity).octets == kib << 10
