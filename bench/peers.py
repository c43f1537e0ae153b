"""The servers that are compared: how each is found, configured and started with the same names.

kdns is that of this checkout as the image has it, compiled to build/compiled (`make compiled`); the interpreted one is the
checkout itself. CoreDNS and another kdns (an earlier one, say) are found where
KDNS_BENCH_COREDNS and KDNS_BENCH_OTHER name their programs; NSD and Knot where they are installed,
or where KDNS_BENCH_NSD and KDNS_BENCH_KNOT say. One that isn't found is left out. Each answers on
127.0.0.1 alone, on ports that were free.
"""

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.processes import running
from bench.questions import ECHO, FILE, LIVE, ZONE

COMPILED: Final = Path(__file__).parents[1] / "build" / "compiled"

_READY_S: Final = 60.0
_POLL_S: Final = 0.005
# `dig kubernetes.default.svc.cluster.local A`: a Service that every cluster has.
_PROBE: Final = (
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01"
)

# kubeadm's, but for what it has of a pod's surroundings (the kubeconfig, addresses and ports) and kdns' own TTL.
_COREFILE: Final = """.:{port} {{
    bind 127.0.0.1
    errors
    {directives}
    health 127.0.0.1:{health} {{
        lameduck 1s
    }}
    ready 127.0.0.1:{ready}
    kubernetes {zone} in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods {pods}
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    prometheus 127.0.0.1:{metrics}
    forward . 127.0.0.1:{upstream} {{
        max_concurrent 1000
    }}
    cache 30 {{
        disable success {zone}
        disable denial {zone}
    }}
    loop
    loadbalance
}}
"""

# One process that answers, as the others have; rate limits would drop what is measured.
_NSD_CONF: Final = """server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    rrl-ratelimit: 0
    round-robin: yes
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: "{zone_file}"
"""

_KNOT_CONF: Final = """server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
template:
  - id: default
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: {zone}
    file: "{zone_file}"
"""


class Site(NamedTuple):
    """What there is for a server to be started with."""

    folder: Path
    logs: Path  # another one
    kubeconfig: Path
    zone_file: Path
    upstream: int  # its port
    workers: int  # of kdns
    answer: Path  # the program of bench/native
    directives: str = ""  # beside those of the Corefile; servers without one can't be started with any
    pods: str = "insecure"  # the mode of pods in the Corefile


class Launch(NamedTuple):
    """How a server is started."""

    command: tuple[str, ...]
    port: int
    ready: int | None  # the port of /ready, where it has one


class Peer(NamedTuple):
    """A server to compare."""

    name: str
    kind: str
    version: str
    launch: Callable[[Site], Launch]


class Server(NamedTuple):
    """A server that was started."""

    peer: Peer
    command: tuple[str, ...]
    process: subprocess.Popen[bytes]
    started: float  # on the monotonic clock
    launch: Launch
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return self.launch.port


def own_command(*first: Path) -> tuple[str, ...]:
    """The command of this checkout's kdns, compiled where it has been, with these folders first on its path."""
    path = ":".join(map(str, (*first, COMPILED) if COMPILED.exists() else first))
    return "env", f"PYTHONPATH={path}", sys.executable, "-P", "-m", "kdns"


def find() -> list[Peer]:
    """The servers that can be started here, kdns first."""
    coredns, other = os.environ.get("KDNS_BENCH_COREDNS"), os.environ.get("KDNS_BENCH_OTHER")
    nsd, knot = _program("NSD", "nsd"), _program("KNOT", "knotd")
    found = []
    if COMPILED.exists():
        found.append(_own("kdns", own_command()))
    found.append(_own("interpreted kdns", (sys.executable, "-m", "kdns")))
    if other:
        found.append(Peer("other kdns", LIVE, _version((other, "--version")), lambda site: _kdns(site, (other,))))
    if coredns:
        found.append(Peer("CoreDNS", LIVE, _version((coredns, "-version")), lambda site: _coredns(site, coredns)))
    if nsd:
        found.append(Peer("NSD", FILE, _version((nsd, "-v")), lambda site: _nsd(site, nsd)))
    if knot:
        found.append(Peer("Knot", FILE, _version((knot, "--version")), lambda site: _knot(site, knot)))
    found.append(Peer("C echo", ECHO, "bench/answer.c", _echo))
    return found


@contextlib.contextmanager
def started(peer: Peer, site: Site, cores: Sequence[int] = ()) -> Iterator[Server]:
    """The server while this lasts, perhaps not ready yet; on these cores if any are given."""
    launch = peer.launch(site)
    command = (*(("taskset", "-c", ",".join(map(str, cores))) if cores else ()), *launch.command)
    log = site.logs / f"{peer.name.replace(' ', '-').lower()}.log"
    now = time.monotonic()
    with running(command, log) as process:
        yield Server(peer, command, process, now, launch, log)


def wait_until_ready(server: Server) -> float:
    """The seconds from its start until it is ready. Raises RuntimeError if it doesn't get there."""
    while not _is_ready(server.launch):
        if server.process.poll() is not None or time.monotonic() - server.started > _READY_S:
            raise RuntimeError(f"{server.peer.name} didn't get ready; see {server.log}")
        time.sleep(_POLL_S)
    return time.monotonic() - server.started


@contextlib.contextmanager
def serving(peer: Peer, site: Site, cores: Sequence[int]) -> Iterator[Server]:
    """The server, ready, while this lasts. Raises RuntimeError if it doesn't get there."""
    with started(peer, site, cores) as server:
        wait_until_ready(server)
        yield server


def free_port() -> int:
    """A port that is free just now for UDP and TCP."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            with contextlib.suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port


def _own(name: str, program: tuple[str, ...]) -> Peer:
    return Peer(name, LIVE, f"{_version((*program, '--version'))}{_commit()}", lambda site: _kdns(site, program))


def _kdns(site: Site, program: tuple[str, ...]) -> Launch:
    if site.directives:
        corefile, port, ready = _corefile(site, "kdns")
        return Launch((*program, "serve", "-conf", str(corefile), "--workers", str(site.workers)), port, ready)
    port, ready = free_port(), free_port()
    listen = ("--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{site.upstream}")
    ops = ("--ready", f"127.0.0.1:{ready}", "--health", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    source = ("--kubeconfig", str(site.kubeconfig), "--workers", str(site.workers))
    return Launch((*program, "serve", *source, *listen, *ops), port, ready)


def _coredns(site: Site, program: str) -> Launch:
    corefile, port, ready = _corefile(site, "coredns")
    return Launch((program, "-conf", str(corefile)), port, ready)


def _corefile(site: Site, name: str) -> tuple[Path, int, int]:
    """A Corefile of a server's own, its port, and that of /ready."""
    port, ready = free_port(), free_port()
    corefile = site.folder / f"Corefile.{name}"
    places = {"kubeconfig": site.kubeconfig, "upstream": site.upstream, "zone": ZONE, "pods": site.pods}
    ports = {"port": port, "ready": ready, "health": free_port(), "metrics": free_port()}
    corefile.write_text(_COREFILE.format(directives=site.directives, **places, **ports))
    return corefile, port, ready


def _nsd(site: Site, program: str) -> Launch:
    return _from_file(site, "nsd", _NSD_CONF, lambda conf: (program, "-d", "-c", conf))


def _knot(site: Site, program: str) -> Launch:
    return _from_file(site, "knot", _KNOT_CONF, lambda conf: (program, "-c", conf))


def _from_file(site: Site, name: str, conf: str, command: Callable[[str], tuple[str, ...]]) -> Launch:
    """Of a server that reads a zone file, in a folder of its own."""
    port, folder = free_port(), site.folder / name
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.conf"
    path.write_text(conf.format(port=port, folder=folder, zone=ZONE, zone_file=site.zone_file))
    return Launch(command(str(path)), port, None)


def _echo(site: Site) -> Launch:
    port = free_port()
    return Launch((str(site.answer), "echo", str(port)), port, None)


def _is_ready(launch: Launch) -> bool:
    """Whether it says so, where it says anything, and it is so: CoreDNS says it before it listens."""
    return (launch.ready is None or _says_ready(launch.ready)) and _answers(launch.port)


def _says_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _answers(port: int) -> bool:
    """Whether the probe is answered by NOERROR, which is 0."""
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(_PROBE)
            return sock.recv(4096)[3] & 0x0F == 0
        except OSError:
            return False


def _program(variable: str, name: str) -> str | None:
    named = os.environ.get(f"KDNS_BENCH_{variable}")
    return named or shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _version(command: Sequence[str]) -> str:
    """The first version number that the command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    found = re.search(r"\d+\.\d+(\.\d+)?[.\w+-]*", done.stdout + done.stderr)
    return found[0] if found else "?"


def _commit() -> str:
    """Of this checkout, with a word about what isn't committed; empty outside of a checkout."""
    ask = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--exclude=*", "--dirty=, changed since")
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=30)
        return f", commit {done.stdout.strip()}" if done.stdout else ""
    return ""
