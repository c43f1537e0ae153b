"""Flags: from what stands on the command line to settings, checked and complete.

Pure: what lies around (environment, resolv.conf, the machine's addresses) is handed in.
Each rule about a flag stands here once: its default, its form, and with which others it
doesn't go. Without a Corefile the server behaves as kubeadm's Corefile makes CoreDNS behave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

from kdns.config import declarations, resolvconf
from kdns.config.clusters import source_of
from kdns.config.defaults import (
    DNS_PORT,
    HEALTH_PORT,
    METRICS_PORT,
    PODS_DEFAULT,
    READY_PORT,
    TTL_S,
    YES,
    ZONE,
    PodsMode,
)
from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import TTL_MAX_S, Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.probes import Health, Prometheus, Ready
from kdns.config.endpoints import Upstream
from kdns.config.serving import Block, Listener, Probes, Route, Servers, Serving
from kdns.config.settings import Address, ClusterSource, ManifestSource, SettingsError, SnapshotSettings
from kdns.dns import names
from kdns.dns.names import Name

CACHE_TTL_S: Final = 30  # kubeadm's Corefile says cache 30
CONCURRENT_MAX: Final = 1000  # and max_concurrent 1000
WORKERS_MAX: Final = 64
AUDIT_RANGE_S: Final = (10, 86400)
# A watch that only seems alive is noticed after 100 s, so that freshness goes unproven for as long though nothing is wrong.
STALENESS_RANGE_S: Final = (120, 86400)

_REVERSE: Final = (names.from_text("in-addr.arpa"), names.from_text("ip6.arpa"))
# What a Corefile says itself.
_NOT_WITH_COREFILE: Final = ("listen", "upstream", "zone", "pods", "ttl")

_NO_SOURCE: Final = (
    "found no cluster to serve, expected one of: --kubeconfig FILE (or KUBECONFIG in the environment); "
    "--manifests PATH, for YAML; no flag at all, in a pod with a service account"
)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags as they were given; None or () where one wasn't."""

    conf: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    manifests: tuple[str, ...] = ()
    zone: str | None = None
    listen: tuple[str, ...] = ()
    port: int | None = None
    upstream: tuple[str, ...] = ()
    pods: PodsMode | None = None
    ttl: int | None = None
    workers: str = "auto"
    log_level: str = "info"
    snapshot: str | None = None
    snapshot_ready: str = YES
    health: str | None = None
    ready: str | None = None
    metrics: str | None = None
    pidfile: str | None = None
    quiet: bool = False
    audit_interval: int | None = None
    ready_max_staleness: int | None = None


class Surroundings(NamedTuple):
    """What the flags are read in."""

    kubeconfig: str  # KUBECONFIG of the environment, or empty
    in_pod: bool  # a service account and the API server's address are there
    resolv_conf: str  # the text of /etc/resolv.conf, empty where it can't be read
    is_own: Callable[[str], bool]  # whether an IP address is one of this machine's
    workers: Callable[[], int]  # how many are worth having here
    addresses_of: Callable[[str], Sequence[str]] = lambda _: ()  # of an interface
    state_folder: str = ""  # STATE_FOLDER where it is there, or empty


def serving(flags: Flags, around: Surroundings) -> tuple[Serving, tuple[str, ...]]:
    """What the flags ask for, and warnings of one line each. Raises SettingsError."""
    check_combination(flags)
    port = port_of(flags)
    listen = tuple(dict.fromkeys(address(text, "--listen", port) for text in flags.listen)) or (Address("", port),)
    upstreams, warnings = _upstreams(flags.upstream, listen, around)
    kubernetes = Kubernetes(
        zones=(_origin(ZONE if flags.zone is None else flags.zone), *_REVERSE),
        fallthrough=_REVERSE,
        ttl_s=_ttl(flags.ttl),
        pods=flags.pods or PODS_DEFAULT,
    )
    settings: list[declarations.Settings] = [Ready(), Health(), Prometheus(), Loadbalance(), kubernetes]
    if upstreams:
        asked = tuple(Upstream("address", each.host, port=each.port) for each in upstreams)
        forward = Forward(origin=(names.ROOT,), upstreams=asked, policy="sequential", max_concurrent=CONCURRENT_MAX)
        settings += [Cache(ttl_s=CACHE_TTL_S), forward]
    routes = (Route(names.ROOT, 0),)
    source = _source(flags, around)
    return Serving(
        servers=Servers(
            (Block((names.ROOT,), tuple(settings)),), tuple(Listener(each, "dns", routes) for each in listen)
        ),
        source=source,
        snapshot=_snapshot(flags, source, around),
        probes=_probes(flags, Probes(*((Address("", each),) for each in (HEALTH_PORT, READY_PORT, METRICS_PORT)))),
        workers=_workers(flags.workers, around),
        log_level=flags.log_level,
        pidfile=flags.pidfile,
        quiet=flags.quiet,
        max_staleness_s=float(flags.ready_max_staleness or 0),
    ), tuple(warnings)


def serving_servers(flags: Flags, around: Surroundings, servers: Servers) -> Serving:
    """What a Corefile's servers and the flags beside it ask for. Raises SettingsError."""
    check_combination(flags)
    blocks = servers.blocks
    found = [each for block in blocks for each in block.each(Kubernetes)]
    health = [each for block in blocks for each in block.each(Health)]
    probes = Probes(
        health=tuple(dict.fromkeys(each for block in blocks for each in _health(block))),
        ready=tuple(dict.fromkeys(each.address for block in blocks for each in block.each(Ready))),
        metrics=tuple(dict.fromkeys(each.address for block in blocks for each in block.each(Prometheus))),
    )
    source = _source_of(found[0], flags, around) if found else None
    return Serving(
        servers=servers,
        source=source,
        snapshot=_snapshot(flags, source, around),
        probes=_probes(flags, probes),
        workers=_workers(flags.workers, around),
        log_level=flags.log_level,
        pidfile=flags.pidfile,
        quiet=flags.quiet,
        max_staleness_s=float(flags.ready_max_staleness or 0),
        lameduck_s=max((each.lameduck_s for each in health), default=0.0),
    )


def _health(block: Block) -> list[Address]:
    """Where a block's lines say that /health is: where any says so, or at one port if there are lines and none does."""
    lines = block.each(Health)
    said = [each.address for each in lines if each.address is not None]
    return said or [Address("", HEALTH_PORT)][: len(lines)]


def port_of(flags: Flags) -> int:
    """The port of listeners that name none."""
    return DNS_PORT if flags.port is None else flags.port


def address(text: str, flag: str, port: int) -> Address:
    """The address that ADDR, ADDR:PORT, [ADDR]:PORT, [ADDR] or :PORT writes; port is for one that names none.

    Raises SettingsError, whose message names the flag.
    """
    host, number = _split(text)
    if host:
        _ip(host, text, flag)
    elif not number:
        raise _no_address(text, flag)
    if not number:
        return Address(host, port)
    if not (number.isascii() and number.isdigit() and len(number) <= 5 and int(number) <= 65535):
        raise SettingsError(f"{flag} {text}: found the port {number!r}, expected 0 to 65535")
    return Address(host, int(number))


def _split(text: str) -> tuple[str, str]:
    """Host and port, each empty where it isn't there."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if bracket and (not rest or rest[0] == ":") and rest != ":":
            return host or "[]", rest[1:]
        return text, ""
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return (host, port) if port else (text, "")
    return text, ""


def _ip(host: str, text: str, flag: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(host)
    except ValueError as error:
        raise _no_address(text, flag) from error


def _no_address(text: str, flag: str) -> SettingsError:
    return SettingsError(f"{flag} {text}: found no IP address, expected one such as 10.0.0.1, 10.0.0.1:53 or [::1]:53")


def check_combination(flags: Flags) -> None:
    """Raises SettingsError for flags that don't go together, and nothing else."""
    if flags.conf is not None:
        for name in _NOT_WITH_COREFILE:
            if getattr(flags, name) not in {None, ()}:
                raise SettingsError(f"--{name}: found it beside -conf, expected it in {flags.conf} alone")
    if flags.manifests and flags.kubeconfig is not None:
        raise SettingsError("--manifests: found it beside --kubeconfig, expected one of them")
    if flags.manifests and flags.snapshot is not None:
        raise SettingsError(
            "--snapshot: found it beside --manifests, expected it with an API server; YAML is kept already"
        )
    if flags.snapshot == "":
        raise SettingsError("--snapshot: found an empty text, expected a folder")
    if flags.manifests and flags.context is not None:
        raise SettingsError("--context: found it beside --manifests, expected it beside --kubeconfig")
    _check_seconds(flags, "--audit-interval", flags.audit_interval, AUDIT_RANGE_S)
    _check_seconds(flags, "--ready-max-staleness", flags.ready_max_staleness, STALENESS_RANGE_S)


def _check_seconds(flags: Flags, flag: str, seconds: int | None, within: tuple[int, int]) -> None:
    """Raises SettingsError unless the seconds are 0 or within the range, and there is an API server."""
    least, most = within
    if seconds is not None and flags.manifests:
        raise SettingsError(f"{flag}: found it beside --manifests, expected it for a cluster with an API server")
    if seconds and not least <= seconds <= most:
        raise SettingsError(f"{flag} {seconds}: expected 0, or {least} to {most} seconds")


def _probes(flags: Flags, otherwise: Probes) -> Probes:
    """Those of the flags, and otherwise where a flag isn't given."""
    return Probes(
        *(
            before if text is None else (address(text, f"--{name}", port),)
            for name, text, port, before in (
                ("health", flags.health, HEALTH_PORT, otherwise.health),
                ("ready", flags.ready, READY_PORT, otherwise.ready),
                ("metrics", flags.metrics, METRICS_PORT, otherwise.metrics),
            )
        )
    )


def _source_of(kubernetes: Kubernetes, flags: Flags, around: Surroundings) -> ClusterSource | ManifestSource:
    """Where the cluster is read: what a flag says, what the directive says, then as without a Corefile."""
    said = source_of(kubernetes)
    if not flags.manifests and flags.kubeconfig is None and (said.kubeconfig or said.endpoint):
        return _audited(said, flags)
    found = _source(flags, around)
    return replace(found, limits=said.limits) if isinstance(found, ClusterSource) else found


def _audited(source: ClusterSource, flags: Flags) -> ClusterSource:
    return source if flags.audit_interval is None else replace(source, audit_s=float(flags.audit_interval))


def _source(flags: Flags, around: Surroundings) -> ClusterSource | ManifestSource:
    """Where the cluster is read from: what a flag says, then the pod's own, then KUBECONFIG."""
    if flags.manifests:
        return ManifestSource(flags.manifests)
    if flags.kubeconfig is not None:
        return _audited(ClusterSource(flags.kubeconfig, flags.context), flags)
    if around.in_pod and flags.context is None:
        return _audited(ClusterSource(), flags)
    if around.kubeconfig:
        return _audited(ClusterSource(around.kubeconfig, flags.context), flags)
    raise SettingsError(_NO_SOURCE)


def _snapshot(
    flags: Flags, source: ClusterSource | ManifestSource | None, around: Surroundings
) -> SnapshotSettings | None:
    """Where the snapshot is: the folder that a flag names, or a pod's own."""
    folder = flags.snapshot
    if folder is None and isinstance(source, ClusterSource) and source.of_pod:
        folder = around.state_folder
    return SnapshotSettings(folder, flags.snapshot_ready == YES) if folder else None


def _origin(text: str) -> Name:
    try:
        origin = names.fold(names.from_text(text))
    except ValueError as error:
        raise SettingsError(f"--zone {text}: found no domain name ({error}), expected one such as {ZONE}") from error
    if origin == names.ROOT:
        raise SettingsError(f"--zone {text or repr(text)}: found the root, expected a zone such as {ZONE}")
    return origin


def _ttl(seconds: int | None) -> int:
    if seconds is None:
        return TTL_S
    if not 0 <= seconds <= TTL_MAX_S:
        raise SettingsError(f"--ttl {seconds}: expected 0 to {TTL_MAX_S} seconds")
    return seconds


def _workers(text: str, around: Surroundings) -> int:
    if text == "auto":
        return around.workers()
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= WORKERS_MAX:
        return int(text)
    raise SettingsError(f"--workers {text}: expected auto, or a number from 1 to {WORKERS_MAX}")


def _upstreams(
    texts: tuple[str, ...], listen: tuple[Address, ...], around: Surroundings
) -> tuple[tuple[Address, ...], list[str]]:
    """Where other names are asked, and warnings: what the flags say, all fit, or what is fit of resolv.conf."""
    if texts:
        return tuple(dict.fromkeys(_upstream(text, listen, around) for text in texts)), []
    conf = resolvconf.parse(around.resolv_conf)
    listed = [Address(host, DNS_PORT) for host in conf.nameservers]
    fit = tuple(upstream for upstream in listed if not _is_listener(upstream, listen, around))
    warnings = [f"resolv.conf: left out nameserver {text!r}, no IP address or one too many" for text in conf.left_out]
    warnings += [
        f"resolv.conf: left out nameserver {each.host}, it is this server" for each in listed if each not in fit
    ]
    if not fit:
        warnings.append("no upstream: resolv.conf names none that can be asked, names outside the zone get SERVFAIL")
    return fit, warnings


def _upstream(text: str, listen: tuple[Address, ...], around: Surroundings) -> Address:
    upstream = address(text, "--upstream", DNS_PORT)
    if not upstream.host or ip_address(upstream.host).is_unspecified:
        raise _no_address(text, "--upstream")
    if upstream.port == 0:
        raise SettingsError(f"--upstream {text}: found the port 0, expected 1 to 65535")
    if _is_listener(upstream, listen, around):
        raise SettingsError(f"--upstream {text}: found an address this server listens on, expected another server's")
    return upstream


def _is_listener(upstream: Address, listen: tuple[Address, ...], around: Surroundings) -> bool:
    """Whether a question to the upstream would come back to this server."""
    return any(upstream.port == own.port and _reaches(upstream.host, own.host, around) for own in listen)


def _reaches(host: str, listener: str, around: Surroundings) -> bool:
    address = ip_address(host)
    if not listener:
        return around.is_own(host)
    own = ip_address(listener)
    return address == own or (own.is_unspecified and own.version == address.version and around.is_own(host))
