"""The slow obvious answer: the whole zone written out as text, then looked up as any zone would be (RFC 1034 section 4.3.2).

Shares nothing with kdns.zone but the cluster it is asked about: names are text, addresses
are ipaddress', existence is whatever stands in the written zone and above it.
"""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import dns.rdata

from kdns.zone.entry import Kind, service_owner
from tests.zone.clusters import Cluster, PortText, Service, Slice

Node = dict[str, set[str]]  # type -> record data
Line = tuple[str, int, str, str]  # name, ttl, type, data

STEPS = 8


@dataclass(frozen=True)
class Setup:
    """A Zone's settings, as text."""

    origins: tuple[str, ...] = ("cluster.local.",)
    reverse: tuple[str, ...] = ("in-addr.arpa.", "ip6.arpa.")
    fallthrough: tuple[str, ...] = ()
    ttl: int = 5
    pods: str = "insecure"
    addresses: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    zonal: bool = False
    imports: tuple[str, ...] = ()  # those of origins whose Services are imported ones


class Expected(NamedTuple):
    rcode: str
    answers: frozenset[Line] = frozenset()
    authority: frozenset[Line] = frozenset()
    additional: frozenset[Line] = frozenset()
    chase: str | None = None


class Written:
    """One primary zone, written out."""

    def __init__(self, cluster: Cluster, setup: Setup, origin: str) -> None:
        self.nodes: dict[str, Node] = {}
        self.origin = origin
        self.namespaces = cluster.every_namespace
        self.pods, self.verified = setup.pods, cluster.pods
        self.zonal: dict[tuple[str, str], Service] = {}
        self.put("", "SOA", "")
        for empty in ("svc.", "pod.", "ns.dns.", "dns-version."):
            self.nodes[empty + origin] = {}
        self.put("dns-version.", "TXT", '"1.1.0"')
        for space in cluster.every_namespace:
            self.nodes[f"{space}.svc.{origin}"] = {}
            if setup.pods != "disabled":
                self.nodes[f"{space}.pod.{origin}"] = {}
        if setup.pods == "verified":
            names = {f"{label}.{space}.pod.{origin}": ip for space, ip in cluster.pods for label in spellings(ip)}
            self.nodes |= {name: pod_node(name, ip) for name, ip in names.items()}
        self.imports = origin in setup.imports
        for (space, name), service in (cluster.imports if self.imports else cluster.services).items():
            self.put_service(f"{name}.{space}.svc.", service)
            if (
                not self.imports
                and setup.zonal
                and service.kind == Kind.HEADLESS
                and any(part.endpoints for part in service.slices)
            ):
                self.zonal[name, space] = service
                for empty in ("", "pin.", "prefer."):
                    self.put(f"{empty}_zone.{name}.{space}.svc.", "A")
        self.put_servers(cluster, setup)

    def put(self, below: str, rtype: str, *datas: str) -> None:
        node = self.nodes.setdefault(below + self.origin, {})
        if datas:
            node.setdefault(rtype, set()).update(datas)

    def put_service(self, name: str, service: Service) -> None:
        if service.kind == Kind.EXTERNAL_NAME:
            if not is_address(service.target):
                self.put(name, "CNAME", service.target)
        elif service.kind == Kind.CLUSTER_IP:
            self.put(name, "A")
            self.put_cluster_ip(name, service)
            self.put_endpoints(name, service)
        elif service.kind == Kind.HEADLESS and any(part.endpoints for part in service.slices):
            self.put_endpoints(name, service)
            self.put_headless(name, service)

    def put_cluster_ip(self, name: str, service: Service) -> None:
        owners = {name: service.ports}
        for port in service.ports:
            for owner in self.port_names(port, name):
                owners[owner] = tuple(other for other in service.ports if other[:2] == port[:2])
        for owner, ports in owners.items():
            for ip in service.ips:
                self.put(owner, family(ip), ip)
            self.put_srv(owner, [(name, port) for port in ports for _ in service.ips])

    def put_endpoints(self, name: str, service: Service) -> None:
        every = [(part, address, host) for part in service.slices for address, host in named(part)]
        for _, address, host in every:
            self.put(f"{host}.{name}", family(address), address)
        for host in {host for _, _, host in every}:
            entries = [(part, f"{host}.{name}") for part, _, other in every if other == host]
            self.put_srv(f"{host}.{name}", [(to, port) for part, to in entries for port in part.ports or (None,)])

    def put_headless(self, name: str, service: Service) -> None:
        found: dict[str, list[tuple[str, PortText | None]]] = {name: []}
        for part in service.slices:
            for address, host in named(part):
                self.put(name, family(address), address)
                to = f"{host}.{name}"
                found[name] += [(to, port) for port in part.ports or (None,)]
                for port in part.ports:
                    for owner in self.port_names(port, name):
                        self.put(owner, family(address), address)
                        found.setdefault(owner, []).append((to, port))
        for owner, entries in found.items():
            self.put_srv(owner, entries)

    def put_srv(self, owner: str, entries: list[tuple[str, PortText | None]]) -> None:
        weight = max(1, 100 // max(1, len(entries)))
        self.put(owner, "SRV", *(f"0 {weight} {port[2]} {to}{self.origin}" for to, port in entries if port))

    def put_servers(self, cluster: Cluster, setup: Setup) -> None:
        own = [ip for ip in setup.addresses if not ipaddress.ip_address(ip).is_link_local]
        servers: set[tuple[str, str]] = set()
        for (space, name), service in cluster.services.items():
            endpoints = [endpoint for part in service.slices for endpoint in part.endpoints]
            if any(same(address, ip) for address, _ in endpoints for ip in own):
                below = f"{name}.{space}.svc."
                if service.kind == Kind.CLUSTER_IP:
                    servers |= {(below, ip) for ip in service.ips}
                elif service.kind == Kind.HEADLESS:
                    servers |= {(f"{host or dashed(address)}.{below}", address) for address, host in endpoints}
        if self.imports:
            servers = {("ns.dns.", ip) for _, ip in servers}
        servers = servers or {("ns.dns.", ip) for ip in own}
        self.glue = {(below + self.origin, ip) for below, ip in servers}
        self.put("", "NS", *({below + self.origin for below, _ in servers} or {"ns.dns." + self.origin}))
        for _, ip in servers:
            self.put("ns.dns.", family(ip), ip)

    def port_names(self, port: PortText, below: str) -> list[str]:
        """The spellings of a port's name; of an imported Service's those with an underscore, the other is an endpoint's."""
        found = port_names(port, below)
        return [name for name in found if "_" in name.removesuffix(below)] if self.imports else found

    def node(self, name: str) -> Node | None:
        """The records of a name, none for an empty non-terminal; None for a name that doesn't exist."""
        labels = name.removesuffix(self.origin).removesuffix(".").split(".")
        if len(labels) == 3 and labels[2] == "pod":
            address = undashed(labels[0])
            return pod_node(name, address) if address is not None and self.pod_exists(labels[1], address) else None
        if len(labels) >= 6 and labels[-1] == "svc" and labels[-4] == "_zone" and labels[-5] in {"pin", "prefer"}:
            service = self.zonal.get((labels[-3], labels[-2]))
            below = f"{labels[-3]}.{labels[-2]}.svc.{self.origin}"
            return zoned(service, below, ".".join(labels[:-5]), labels[-5]) if service else None
        if name in self.nodes:
            return self.nodes[name]
        return {} if any(other.endswith("." + name) for other in self.nodes) else None

    def pod_exists(self, space: str, address: str) -> bool:
        if self.pods == "verified":
            return any(space == other and same(address, ip) for other, ip in self.verified)
        return self.pods == "insecure" and space in self.namespaces


class Reference:
    """What a server set up like this answers for the cluster."""

    def __init__(self, cluster: Cluster, setup: Setup) -> None:
        cluster = shown(cluster, setup.namespaces)
        self.setup = setup
        self.primary = {origin: Written(cluster, setup, origin) for origin in setup.origins}
        self.pointers = pointers(cluster, setup.origins[0])

    def nodes(self) -> dict[str, Node]:
        """Every name with or without records, but for the endless ones of pods; reverse zones' own names included."""
        known: dict[str, Node] = {name: {"PTR": targets} for name, targets in self.pointers.items()}
        for origin, written in self.primary.items():
            known |= {name: node for name, node in written.nodes.items() if self._zone(name) == origin}
        return known | {zone: {"SOA": set(), "NS": set()} for zone in self.setup.reverse}

    def expect(self, name: str, rtype: str) -> Expected | None:
        """The answer to a question in lower case."""
        setup, chain = self.setup, list[Line]()
        while True:
            zone = self._zone(name)
            if zone is None:
                return Expected("NOERROR", frozenset(chain), chase=name) if chain else None
            node, primary = self._find(zone, name)
            if node is None and any(is_below(name, through) for through in setup.fallthrough):
                return Expected("NOERROR", frozenset(chain), chase=name) if chain else None
            if node and "CNAME" in node and rtype not in {"CNAME", "ANY"}:
                if len(chain) == STEPS:
                    return Expected("SERVFAIL")
                (target,) = node["CNAME"]
                chain.append((name, setup.ttl, "CNAME", target.lower()))
                name = target.lower()
                continue
            if not node or rtype not in node:
                rcode = "NXDOMAIN" if node is None else "NOERROR"
                return Expected(rcode, frozenset(chain), frozenset({soa(setup, zone, primary.origin)}))
            if rtype == "SOA":
                return Expected("NOERROR", frozenset({*chain, soa(setup, zone, primary.origin)}))
            ttl = 28800 if rtype == "TXT" else setup.ttl
            answers = {(name, ttl, rtype, normal(rtype, one)) for one in node[rtype]}
            return Expected(
                "NOERROR", frozenset({*chain, *answers}), additional=additional(primary, node, rtype, setup.ttl)
            )

    def _zone(self, name: str) -> str | None:
        zones = [zone for zone in self.setup.origins + self.setup.reverse if is_below(name, zone)]
        return max(zones, key=len) if zones else None

    def _find(self, zone: str, name: str) -> tuple[Node | None, Written]:
        """The node of a name, and the primary zone that its zone's servers are in."""
        if zone in self.primary:
            return self.primary[zone].node(name), self.primary[zone]
        primary = self.primary[self.setup.origins[0]]
        if name == zone:
            return {"SOA": {""}, "NS": primary.nodes[primary.origin]["NS"]}, primary
        targets = self.pointers.get(name)
        return ({"PTR": targets} if targets else None), primary


def shown(cluster: Cluster, namespaces: tuple[str, ...]) -> Cluster:
    """What of the cluster there is, if only these namespaces are there; all if none are given."""
    if not namespaces:
        return cluster
    services = {key: service for key, service in cluster.services.items() if key[0] in namespaces}
    pods = frozenset(pod for pod in cluster.pods if pod[0] in namespaces)
    imports = {key: service for key, service in cluster.imports.items() if key[0] in namespaces}
    return Cluster(services, cluster.namespaces & set(namespaces), pods, imports)


def named(part: Slice) -> list[tuple[str, str]]:
    """The address of each endpoint and its name below the Service."""
    cluster = f".{part.cluster}" if part.cluster else ""
    return [(address, (host or dashed(address)) + cluster) for address, host in part.endpoints]


def zoned(service: Service, below: str, zone: str, way: str) -> Node:
    """The records of the name for a topology zone of a Service that has endpoints."""
    every = [
        (part, address, f"{host or dashed(address)}.{below}", own)
        for part in service.slices
        for (address, host), own in zip(part.endpoints, part.zones or ("",) * len(part.endpoints), strict=True)
    ]
    chosen = [each for each in every if each[3] == zone] or (every if way == "prefer" else [])
    node: Node = {}
    for _, address, _, _ in chosen:
        node.setdefault(family(address), set()).add(address)
    srv = [(to, port) for part, _, to, _ in chosen for port in part.ports or (None,)]
    if any(port for _, port in srv):
        node["SRV"] = {f"0 {max(1, 100 // len(srv))} {port[2]} {to}" for to, port in srv if port}
    return node


def additional(zone: Written, node: Node, rtype: str, ttl: int) -> frozenset[Line]:
    """The addresses of those that an SRV or NS record names."""
    if rtype == "NS":
        pairs = zone.glue
    elif rtype == "SRV":
        targets = {one.split()[3] for one in node[rtype]}
        found = [(to, zone.node(to) or {}) for to in targets]
        pairs = {(to, ip) for to, at in found for rtype in ("A", "AAAA") for ip in at.get(rtype, ())}
    else:
        return frozenset()
    return frozenset((to, ttl, family(ip), normal(family(ip), ip)) for to, ip in pairs)


def pointers(cluster: Cluster, origin: str) -> dict[str, set[str]]:
    """The reverse zones: ClusterIPs first, each for the first Service alone; endpoints where no ClusterIP is."""
    services = sorted(cluster.services.items(), key=lambda item: service_owner(*item[0]))
    ips: dict[str, set[str]] = {}
    for (space, name), service in services:
        for ip in service.ips:
            ips.setdefault(reverse(ip), {f"{name}.{space}.svc.{origin}"})
    endpoints: dict[str, set[str]] = {}
    for (space, name), service in services:
        for part in service.slices:
            for address, host in part.endpoints:
                to = f"{host or dashed(address)}.{name}.{space}.svc.{origin}"
                endpoints.setdefault(reverse(address), set()).add(to)
    return endpoints | ips


def soa(setup: Setup, zone: str, primary: str) -> Line:
    data = f"ns.dns.{primary} hostmaster.{primary} 1 7200 1800 86400 {setup.ttl}"
    return zone, min(setup.ttl, 300), "SOA", data


def pod_node(name: str, address: str) -> Node:
    return {family(address): {address}, "SRV": {f"0 100 0 {name}"}}


def is_below(name: str, zone: str) -> bool:
    return zone == "." or name == zone or name.endswith("." + zone)


def port_names(port: PortText, below: str) -> list[str]:
    name, protocol, _ = port
    return [f"{a}{name}.{b}{protocol}.{below}" for a in ("", "_") for b in ("", "_")] if name else []


def family(address: str) -> str:
    return "AAAA" if ":" in address else "A"


def same(one: str, other: str) -> bool:
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


def reverse(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer + "."


def is_address(target: str) -> bool:
    try:
        ipaddress.ip_address(target.removesuffix("."))
    except ValueError:
        return False
    return True


def dashed(address: str) -> str:
    label = ipaddress.ip_address(address).compressed.replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label


def spellings(address: str) -> set[str]:
    """Dashed forms that all mean the address; with every zero group written, and the shortest."""
    return {dashed(address), ipaddress.ip_address(address).exploded.replace(".", "-").replace(":", "-")}


def undashed(label: str) -> str | None:
    """The address that a label in dashes stands for."""
    ipv4 = label.count("-") == 3 and "--" not in label
    try:
        return str(ipaddress.IPv4Address(label.replace("-", "."))) if ipv4 else _ipv6(label.replace("-", ":"))
    except ValueError:
        return None


def _ipv6(text: str) -> str | None:
    return None if "." in text or "%" in text else str(ipaddress.IPv6Address(text))


@lru_cache(maxsize=10000)
def normal(rtype: str, data: str) -> str:
    return dns.rdata.from_text("IN", rtype, data).to_text().lower()
