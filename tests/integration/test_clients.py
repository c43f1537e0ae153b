"""The resolvers that people have, as they come: dig, nslookup (of bind and of busybox), glibc's and musl's getaddrinfo.

They and a server with no flags but the manifests of examples/ live in a sandbox whose
resolv.conf is a pod's: every form of a name that people type must end at the same answer.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.sandbox import ADDRESSES, Sandbox, why_not
from tests.server import ZONE, Server

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())

RESOLV_CONF: Final = """\
search kube-system.svc.cluster.local svc.cluster.local cluster.local
nameserver 127.0.0.1
options ndots:5
"""
FORMS: Final = ("kube-dns", "kube-dns.kube-system", "kube-dns.kube-system.svc", f"kube-dns.kube-system.{ZONE}")
HEADLESS: Final = ("cache.edge", "cache.edge.svc", f"cache.edge.{ZONE}", f"cache.edge.{ZONE}.")

# Prints what getaddrinfo says of each argument, a line each.
RESOLVE_C: Final = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    for (int at = 1; at < argc; at++) {
        struct addrinfo hints, *found, *each;
        memset(&hints, 0, sizeof hints);
        hints.ai_socktype = SOCK_STREAM;
        int error = getaddrinfo(argv[at], "80", &hints, &found);
        printf("%s:", argv[at]);
        if (error) {
            printf(" %s\n", gai_strerror(error));
            continue;
        }
        for (each = found; each; each = each->ai_next) {
            char text[INET6_ADDRSTRLEN];
            void *address = each->ai_family == AF_INET6
                ? (void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr
                : (void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr;
            printf(" %s", inet_ntop(each->ai_family, address, text, sizeof text));
        }
        printf("\n");
        freeaddrinfo(found);
    }
    return 0;
}
"""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with a server that answers."""
    folder = tmp_path_factory.mktemp("clients")
    resolv_conf = folder / "resolv.conf"
    resolv_conf.write_text(RESOLV_CONF)
    with Sandbox(resolv_conf) as made:
        flags = ("--manifests", "examples", "--workers", "2")
        server = Server(*flags, folder=folder, workers=2, within=made.command, plain=True)
        try:
            server.start(ready=False)
            server.until_loaded()
            yield made
            assert server.stop() == 0
        finally:
            server.close()


# dig


@needs("dig")
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("+tcp",),
        ("+noedns",),
        ("+bufsize=512",),
        ("+bufsize=65535",),
        ("+dnssec",),
        ("+nocookie",),
        ("+nsid", "+subnet=192.0.2.0/24", "+keepalive", "+padding=64"),
        ("+norecurse",),
        ("+adflag", "+cdflag"),
        ("+search",),
        ("-6", "@::1"),
        ("-6", "@::1", "+tcp"),
    ],
    ids=" ".join,
)
def test_dig_gets_the_answer_however_it_asks(sandbox: Sandbox, options: tuple[str, ...]) -> None:
    asked = FORMS[0] if "+search" in options else FORMS[-1]
    told = sandbox.run("dig", *options, asked)
    assert "status: NOERROR" in told
    assert re.findall(r"^\S+\s+5\s+IN\s+A\s+(\S+)$", told, re.MULTILINE) == ["10.96.0.10"]
    assert re.search(r"^;; flags: qr aa( rd)?( cd)?;", told, re.MULTILINE)
    for complaint in ("malformed", "Truncated", "unexpected source", "Got bad packet", "mismatch"):
        assert complaint not in told


@needs("dig")
@pytest.mark.parametrize(("transport", "told"), [("+tcp", ["10.0 secs"]), ("+notcp", [])])
def test_dig_is_told_over_tcp_how_long_its_connection_may_be_silent(
    sandbox: Sandbox, transport: str, told: list[str]
) -> None:
    said = sandbox.run("dig", transport, "+keepalive", FORMS[-1])
    assert re.findall(r"TCP[- ]KEEPALIVE: (.*)$", said, re.MULTILINE) == told


@needs("dig")
@pytest.mark.parametrize("transport", ["+tcp", "+notcp"])
def test_dig_gets_a_cookie_without_a_question(sandbox: Sandbox, transport: str) -> None:
    said = sandbox.run("dig", transport, "+header-only", "+cookie")
    assert "status: NOERROR" in said
    assert re.search(r"COOKIE: [0-9a-f]{16}01000000[0-9a-f]{24} \(good\)", said)


@needs("dig")
def test_dig_asks_several_questions_in_one_connection(sandbox: Sandbox) -> None:
    said = sandbox.run("dig", "+tcp", "+keepopen", "+short", FORMS[-1], "-x", "10.96.0.10")
    assert said == f"10.96.0.10\n{FORMS[-1]}.\n"


@needs("dig")
def test_dig_gets_the_name_of_an_address(sandbox: Sandbox) -> None:
    assert sandbox.run("dig", "+short", "-x", "10.96.0.10") == f"{FORMS[-1]}.\n"
    assert sandbox.run("dig", "+short", "-x", "10.244.2.20") == f"one.cache.edge.{ZONE}.\n"
    assert sandbox.run("dig", "+short", "-x", "fd00:244::2:20") == f"one.cache.edge.{ZONE}.\n"


@needs("dig")
@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_the_reply_comes_from_the_address_that_was_asked(sandbox: Sandbox, address: str, transport: str) -> None:
    assert sandbox.run("dig", "+short", "+tries=1", transport, f"@{address}", FORMS[-1]) == "10.96.0.10\n"


@needs("dig")
def test_the_zone_says_which_addresses_serve_it(sandbox: Sandbox) -> None:
    assert sandbox.run("dig", "+short", "cluster.local", "NS") == "ns.dns.cluster.local.\n"
    told = sandbox.run("dig", "+short", "ns.dns.cluster.local", "A", "ns.dns.cluster.local", "AAAA")
    assert set(told.split()) == {"10.53.0.1", "fd00::53"}  # those of the machine but for the loopback's


# nslookup


def found_by_nslookup(told: str) -> list[str]:
    """The addresses below the answer's names; those of the server come with a port."""
    return re.findall(r"^Name:\s+\S+\nAddress: (\S+)$", told, re.MULTILINE)


@needs("nslookup")
@pytest.mark.parametrize("name", FORMS)
def test_nslookup_of_bind_gets_every_form(sandbox: Sandbox, name: str) -> None:
    told = sandbox.run("nslookup", name)
    assert found_by_nslookup(told) == ["10.96.0.10"]
    assert f"Name:\t{FORMS[-1]}\n" in told


@needs("busybox")
@pytest.mark.parametrize("name", [FORMS[0], FORMS[-1]])  # names with a dot it doesn't complete
def test_nslookup_of_busybox_gets_the_short_and_the_whole_name(sandbox: Sandbox, name: str) -> None:
    told = sandbox.run("busybox", "nslookup", name)
    assert found_by_nslookup(told) == ["10.96.0.10"]


@needs("busybox")
def test_nslookup_of_busybox_gets_the_name_of_an_address(sandbox: Sandbox) -> None:
    assert f"10.0.96.10.in-addr.arpa\tname = {FORMS[-1]}\n" in sandbox.run("busybox", "nslookup", "10.96.0.10")


# getaddrinfo


@needs("getent")
@pytest.mark.parametrize("name", FORMS)
def test_getent_gets_every_form(sandbox: Sandbox, name: str) -> None:
    assert sandbox.run("getent", "hosts", name).split() == ["10.96.0.10", FORMS[-1]]


@needs("getent")
@pytest.mark.parametrize("name", HEADLESS)
def test_getent_gets_every_endpoint_of_both_families(sandbox: Sandbox, name: str) -> None:
    found = {line.split()[0] for line in sandbox.run("getent", "ahosts", name).splitlines()}
    assert found == {"10.244.2.20", "10.244.2.21", "fd00:244::2:20"}


@needs("getent")
def test_getent_gets_the_name_of_an_address(sandbox: Sandbox) -> None:
    for address in ("10.96.0.10", "10.244.2.21"):
        (told,) = sandbox.run("getent", "hosts", address).splitlines()
        assert told.split()[1].endswith(f".{ZONE}")


@needs("musl-gcc")
def test_musl_gets_every_form(sandbox: Sandbox, tmp_path: Path) -> None:
    source, program = tmp_path / "resolve.c", tmp_path / "resolve"
    source.write_text(RESOLVE_C)
    subprocess.run(["musl-gcc", "-static", "-o", program, source], check=True, capture_output=True)
    told = dict(line.split(": ", 1) for line in sandbox.run(str(program), *FORMS, *HEADLESS).splitlines())
    assert {name: told[name] for name in FORMS} == dict.fromkeys(FORMS, "10.96.0.10")
    both = {"10.244.2.20", "10.244.2.21", "fd00:244::2:20"}
    assert {name: set(told[name].split()) for name in HEADLESS} == dict.fromkeys(HEADLESS, both)
