"""Resolvers in a pod, with searchpath, with autopath and without: the same results, and how many questions each asks for them.

The table of docs/searchpath.md is what these tests expect, count for count.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from tests.integration.sandbox import Sandbox, why_not
from tests.integration.test_clients import RESOLV_CONF, RESOLVE_C, needs
from tests.repository.documents import REPOSITORY
from tests.server import Server

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

COREFILE: Final = """
.:53 {{
    kubernetes cluster.local
    {way}
    forward . 127.0.0.1:5300
    cache 30
    prometheus 127.0.0.1:9153
}}
.:5300 {{
    template IN A www.example.com {{
        answer "{{{{ .Name }}}} 60 IN A 192.0.2.7"
    }}
    template IN AAAA www.example.com {{
        answer "{{{{ .Name }}}} 60 IN AAAA 2001:db8:7::7"
    }}
    template IN ANY . {{
        rcode NXDOMAIN
        authority ". 30 IN SOA a.root.example. root.example. 1 2 3 4 30"
    }}
}}
"""
RESOLVE_GO: Final = """\
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strings"
)

func main() {
	for _, name := range os.Args[1:] {
		found, err := net.DefaultResolver.LookupHost(context.Background(), name)
		if err != nil {
			fmt.Printf("%s: none\\n", name)
			continue
		}
		sort.Strings(found)
		fmt.Printf("%s: %s\\n", name, strings.Join(found, " "))
	}
}
"""
OUTSIDE, WRITTEN_OUT, OTHER, NOWHERE = (
    "www.example.com",
    "kube-dns.kube-system.svc.cluster.local",
    "cache.edge",
    "no.such.example",
)
ADDRESSES: Final = {
    OUTSIDE: {"192.0.2.7", "2001:db8:7::7"},
    WRITTEN_OUT: {"10.96.0.10"},
    OTHER: {"10.244.2.20", "10.244.2.21", "fd00:244::2:20"},
    NOWHERE: set(),
}


class Count(NamedTuple):
    """Questions that a name costs."""

    without: int
    through: int  # searchpath, or autopath


# By resolver and name; A and AAAA together.
COUNTS: Final = {
    "glibc": {OUTSIDE: Count(8, 2), WRITTEN_OUT: Count(8, 2), OTHER: Count(4, 2), NOWHERE: Count(8, 8)},
    "musl": {OUTSIDE: Count(8, 2), WRITTEN_OUT: Count(8, 2), OTHER: Count(4, 2), NOWHERE: Count(8, 8)},
    "Go": {OUTSIDE: Count(8, 2), WRITTEN_OUT: Count(8, 2), OTHER: Count(4, 2), NOWHERE: Count(8, 8)},
    "busybox nslookup": {OUTSIDE: Count(2, 2), WRITTEN_OUT: Count(2, 2), NOWHERE: Count(2, 2)},
}
PROGRAMS: Final = {"glibc": "getent", "musl": "musl-gcc", "Go": "go", "busybox nslookup": "busybox"}


class Pod:
    """A sandbox with a server, whose questions are counted."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def asked(self) -> int:
        """How many questions there have been."""
        page = self.sandbox.run("busybox", "wget", "-qO-", "http://127.0.0.1:9153/metrics")
        return sum(
            map(int, re.findall(r'^coredns_dns_requests_total\{server="dns://:53".* (\d+)$', page, re.MULTILINE))
        )


@pytest.fixture(
    scope="module",
    params=["", "searchpath", "autopath /etc/resolv.conf"],
    ids=["without", "through searchpath", "through autopath"],
)
def pod(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    folder = tmp_path_factory.mktemp("pod")
    (folder / "resolv.conf").write_text(RESOLV_CONF)
    (folder / "Corefile").write_text(COREFILE.format(way=request.param))
    with Sandbox(folder / "resolv.conf") as sandbox:
        flags = ("-conf", str(folder / "Corefile"), "--manifests", "examples", "--workers", "1")
        server = Server(*flags, folder=folder, workers=1, within=sandbox.command, plain=True)
        try:
            server.start(ready=False)
            server.until_loaded()
            yield Pod(sandbox)
            assert server.stop() == 0
        finally:
            server.close()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The programs that ask by musl's and Go's resolvers, as far as they can be made here."""
    folder = tmp_path_factory.mktemp("programs")
    made = {}
    if shutil.which("musl-gcc"):
        (folder / "resolve.c").write_text(RESOLVE_C)
        subprocess.run(["musl-gcc", "-static", "-o", folder / "musl", folder / "resolve.c"], check=True)
        made["musl"] = str(folder / "musl")
    if shutil.which("go"):
        (folder / "resolve.go").write_text(RESOLVE_GO)
        command = ["go", "build", "-tags", "netgo", "-o", str(folder / "go"), str(folder / "resolve.go")]
        subprocess.run(command, check=True, cwd=folder)
        made["Go"] = str(folder / "go")
    return made


def found_by(pod: Pod, resolver: str, name: str, programs: dict[str, str]) -> set[str]:
    """The addresses that a resolver finds."""
    match resolver:
        case "glibc":
            return {line.split()[0] for line in pod.sandbox.run("getent", "ahosts", name).splitlines()}
        case "busybox nslookup":
            return set(
                re.findall(r"^Name:\s+\S+\nAddress: (\S+)$", pod.sandbox.run("busybox", "nslookup", name), re.MULTILINE)
            )
    told = pod.sandbox.run(programs[resolver], name).strip()
    return {word for word in told.split()[1:] if re.fullmatch(r"[0-9a-f.]*[.:][0-9a-f.:]*", word)}


@pytest.mark.parametrize(
    ("resolver", "name"),
    [
        pytest.param(resolver, name, marks=needs(PROGRAMS[resolver]), id=f"{resolver} {name}")
        for resolver, counts in COUNTS.items()
        for name in counts
    ],
)
@needs("busybox")
def test_a_resolver_finds_the_same_with_so_many_questions(
    pod: Pod, resolver: str, name: str, programs: dict[str, str], request: pytest.FixtureRequest
) -> None:
    before = pod.asked()
    assert found_by(pod, resolver, name, programs) == ADDRESSES[name]
    way = "through" if "through" in request.node.name else "without"
    assert pod.asked() - before == getattr(COUNTS[resolver][name], way)


def test_the_documents_have_these_counts() -> None:
    text = (REPOSITORY / "docs" / "searchpath.md").read_text()
    for resolver, counts in COUNTS.items():
        for name, count in counts.items():
            assert f"| {resolver} | `{name}` | {count.without} | {count.through} |" in text
