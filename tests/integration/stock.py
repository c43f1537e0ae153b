"""The Corefiles of real clusters, as they can be served here: on free ports of 127.0.0.1, for the lab, with one upstream.

What a pod has around it is put in its place: ports, addresses to bind, resolv.conf and other upstreams, paths, and the
kubeconfig. Every other line stays as it is; DNS_PORT and CACHE_TTL come by the environment.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from tests.integration.themes import Names, each

FOLDER: Final = Path(__file__).parents[1] / "config" / "corefiles"
COREFILES: Final = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.Corefile"))}

_CHANGES: Final = (
    (r"(?m)^(\S.*):(?:53|5353)(?= |$)", r"\1:{port}"),
    (r"(?m)^(corp\.example):5353 ", r"\1:{port} "),
    (r"(?m)^( *)bind .*\n", ""),
    (r"lameduck \d+s", "lameduck 1s"),
    (r"(?m)^( *)health(?: \S+:8080| :8080)?(?= |$)", r"\1health 127.0.0.1:{health}"),
    (r"(?m)^( *)ready.*$", r"\1ready 127.0.0.1:{ready}"),
    (r"(?m)^( *)prometheus.*$", r"\1prometheus 127.0.0.1:{metrics}"),
    (r"/etc/resolv\.conf", "{upstream}"),
    (r"(?m)^( *forward \.) (?:198\.51\.100|10\.96\.0|tls://198)[^{\n]*", r"\1 {upstream} "),
    (r"/etc/coredns/|(?<=import )(?=custom/)", "{folder}/"),
    (r"(?m)^( *)(kubernetes .*)\{$", r"\1\2{\n\1    kubeconfig {kubeconfig}"),
)
# Files beside a Corefile.
FILES: Final = {
    "NodeHosts": "192.168.5.15 node-1\n192.168.5.16 node-2.example\n",
    "custom/a.override": 'template IN A override.example {\n    answer "{{ .Name }} 60 IN A 192.0.2.61"\n    fallthrough\n}\n',
    "custom/a.server": "server.example:{$DNS_PORT} {\n    bind 127.0.0.1\n    template IN A server.example {\n"
    '        answer "{{ .Name }} 60 IN A 192.0.2.62"\n    }\n}\n',
}


def lay_out(folder: Path) -> None:
    """Puts the files beside a Corefile into a folder."""
    (folder / "custom").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)


def served(name: str) -> str:
    """A Corefile with places for the ports, the upstream and so on, as tests.integration.coredns fills them."""
    text = COREFILES[name]
    for pattern, put in _CHANGES:
        text = re.sub(pattern, put, text)
    text = re.sub(r"(?m)^((?!\(|\}|import|#)\S.*\{)$", r"\1\n    bind 127.0.0.1", text)
    return text if "ready" in text else text.replace("    errors\n", "    errors\n    ready 127.0.0.1:{ready}\n", 1)


class Said(NamedTuple):
    """A question, and in short what a Corefile's documents promise."""

    name: str
    rtype: str
    said: frozenset[str]


def _said(text: str) -> tuple[Said, ...]:
    """Name, type and answers, a line each."""
    lines = (line.split() for line in text.strip().splitlines())
    return tuple(Said(name, rtype, frozenset(answers)) for name, rtype, *answers in lines)


# What all of them promise that have the cluster, and what each does besides.
CLUSTER: Final = _said("""
kubernetes.default.svc.cluster.local A 10.96.0.1
kubernetes.default.svc.cluster.local AAAA NODATA
nothing.default.svc.cluster.local A NXDOMAIN
cluster.local A NODATA
1.0.96.10.in-addr.arpa PTR kubernetes.default.svc.cluster.local.
9.9.9.10.in-addr.arpa PTR printer.example.com.
www.example.com A 203.0.113.7 203.0.113.8
nowhere.example.com A NXDOMAIN
""")
PODS: Final = _said("1-2-3-4.default.pod.cluster.local A 1.2.3.4")
FORWARDED: Final = _said("""
www.example.com A 203.0.113.7 203.0.113.8
alias.example.com A www.example.com. 203.0.113.7 203.0.113.8
nowhere.example.com A NXDOMAIN
9.9.9.10.in-addr.arpa PTR printer.example.com.
""")
CUSTOM: Final = _said("""
override.example A 192.0.2.61
server.example A 192.0.2.62
""")
PROMISES: Final = {
    "aks": (
        *CLUSTER,
        *PODS,
        *CUSTOM,
        *_said("""
a.b.c.d.internal.cloudapp.net A NXDOMAIN
x.reddog.microsoft.com A NXDOMAIN
"""),
    ),
    "custom-zones": _said("""
kubernetes.default.svc.cluster.local A 10.96.0.1
web.apps.example.com A NXDOMAIN
printer.office.example A 10.1.2.3
x.old.example. A NXDOMAIN
a.old.example. A 192.0.2.1 192.0.2.2
www.example.com A 203.0.113.7 203.0.113.8
www.example.com AAAA NODATA
1-2-3-4.default.pod.cluster.local A NXDOMAIN
x.internal.example A NXDOMAIN
"""),
    "eks": (*CLUSTER, *PODS),
    "k3s": (
        *CLUSTER,
        *PODS,
        *CUSTOM,
        *_said("""
node-1 A 192.168.5.15
16.5.168.192.in-addr.arpa PTR node-2.example.
"""),
    ),
    "kubeadm": (*CLUSTER, *PODS),
    "minikube": (*CLUSTER, *PODS, *_said("host.minikube.internal A 192.168.49.1")),
    "nodelocal": FORWARDED,
    "openshift": (*CLUSTER, *PODS, *_said("x.corp.example A NXDOMAIN")),
}


# Seconds for which each keeps what an upstream says.
KEPT: Final = dict.fromkeys(COREFILES, 30) | {"openshift": 900}


def names(stock: str) -> Names:
    """What both servers are asked on a Corefile."""
    return [
        *((promise.name, rtype) for promise in PROMISES[stock] for rtype in dict.fromkeys((promise.rtype, "A", "TXT"))),
        *each("long.example.com mail.example.com servfail.example.com many.example.com", "A AAAA"),
    ]
