"""The slow obvious answer for outer zones: each zone written out as text, then looked up as any zone would be.

Shares nothing with kdns.zone but the cluster it is asked about, and with the cluster zones' reference the way to write.
"""

from dataclasses import dataclass

from kdns.zone.entry import Kind, service_owner
from tests.zone.clusters import Cluster, PortText, Service
from tests.zone.reference import (
    Expected,
    Line,
    Node,
    dashed,
    family,
    is_below,
    normal,
    port_names,
    reverse,
    same,
    shown,
)


@dataclass(frozen=True)
class OuterSetup:
    """An Outer's settings, as text."""

    origins: tuple[str, ...] = ("example.org.",)
    reverse: tuple[str, ...] = ()
    fallthrough: tuple[str, ...] = ()
    ttl: int = 5
    apex: str = "dns"
    headless: bool = False
    addresses: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()


class OuterReference:
    """What a server set up like this answers for the cluster."""

    def __init__(self, cluster: Cluster, setup: OuterSetup) -> None:
        self.setup = setup
        self.cluster = shown(cluster, setup.namespaces)
        self.nodes: dict[str, Node] = {}
        done: set[str] = set()
        for origin in sorted(setup.origins, key=len):
            self._write(origin)
            # What an inner zone takes over isn't there.
            self.nodes = {name: node for name, node in self.nodes.items() if self._zone(name) == origin or name in done}
            done = {*self.nodes}
        for zone in setup.reverse:
            self._put(zone, "SOA", "")
            self._put(zone, "NS", join(f"ns1.{setup.apex}", setup.origins[0]))
        for (space, name), service in sorted(self.cluster.services.items(), key=lambda item: service_owner(*item[0])):
            for address in addresses(service):
                if any(is_below(reverse(address), zone) for zone in setup.reverse):
                    self._put(reverse(address), "PTR", join(f"{name}.{space}", setup.origins[0]))

    def expect(self, name: str, rtype: str) -> Expected | None:
        """The answer to a question in lower case."""
        setup = self.setup
        zones = [zone for zone in setup.origins + setup.reverse if is_below(name, zone)]
        if not zones:
            return None
        zone = max(zones, key=len)
        node = self.nodes.get(name)
        below = [other for other in self.nodes if other != name and is_below(other, name) and self._zone(other) == zone]
        if node is None and below and zone in setup.origins:
            node = {}
        apex = join(f"{setup.apex}", zone)
        of_apex = zone in setup.origins and is_below(name, apex)
        if of_apex and name not in {apex, f"ns1.{apex}"}:
            node = None
        if node is None and not of_apex and any(is_below(name, through) for through in setup.fallthrough):
            return None
        if node and "CNAME" in node and rtype in {"A", "AAAA"}:
            (target,) = node["CNAME"]
            return Expected("NOERROR", frozenset({(name, setup.ttl, "CNAME", target.lower())}), chase=target.lower())
        soa = self._soa(zone)
        if not node or rtype not in node:
            return Expected("NXDOMAIN" if node is None else "NOERROR", authority=frozenset({soa}))
        if rtype == "SOA":
            return Expected("NOERROR", frozenset({soa}))
        answers = frozenset((name, setup.ttl, rtype, normal(rtype, one)) for one in node[rtype])
        return Expected("NOERROR", answers, additional=self._additional(node, rtype))

    def _zone(self, name: str) -> str:
        return max((zone for zone in self.setup.origins + self.setup.reverse if is_below(name, zone)), key=len)

    def _additional(self, node: Node, rtype: str) -> frozenset[Line]:
        targets: set[str] = set()
        if rtype == "NS":
            targets = node["NS"]
        elif rtype == "SRV":
            targets = {one.split()[3] for one in node["SRV"]}
        return frozenset(
            (to, self.setup.ttl, kind, normal(kind, ip))
            for to in targets
            for kind in ("A", "AAAA")
            for ip in self.nodes.get(to, {}).get(kind, ())
        )

    def _soa(self, zone: str) -> Line:
        setup = self.setup
        apex = join(setup.apex, zone if zone in setup.origins else setup.origins[0])
        return zone, setup.ttl, "SOA", f"ns1.{apex} hostmaster.{apex} 1 7200 1800 86400 {setup.ttl}"

    def _put(self, name: str, rtype: str, *datas: str) -> None:
        self.nodes.setdefault(name, {}).setdefault(rtype, set()).update(datas)

    def _write(self, origin: str) -> None:
        setup = self.setup
        self._put(origin, "SOA", "")
        self._put(origin, "NS", join(f"ns1.{setup.apex}", origin))
        self.nodes.setdefault(join(f"ns1.{setup.apex}", origin), {})
        self.nodes |= {join(f"{space}", origin): {} for space in self.cluster.every_namespace}
        for (space, name), service in self.cluster.services.items():
            below = join(f"{name}.{space}", origin)
            if service.outside:
                self._write_outside(below, service)
            elif setup.headless:
                self._write_endpoints(below, service)
        for ip in self._servers():
            self._put(join(f"ns1.{setup.apex}", origin), family(ip), ip)

    def _write_outside(self, below: str, service: Service) -> None:
        ips, hosts = addresses(service), [place for place in service.outside if place.endswith(".")]
        owners: dict[str, tuple[PortText, ...]] = {below: service.ports}
        for port in service.ports:
            for owner in port_names(port, below):
                owners[owner] = tuple(other for other in service.ports if other[:2] == port[:2])
        for owner, ports in owners.items():
            self.nodes.setdefault(owner, {})
            for ip in ips:
                self._put(owner, family(ip), ip)
            if not ips:
                self._put(owner, "CNAME", hosts[0])
            self._put_srv(owner, [(to, port) for port in ports for to in [below] * len(ips) + hosts])

    def _write_endpoints(self, below: str, service: Service) -> None:
        if service.kind not in {Kind.HEADLESS, Kind.CLUSTER_IP}:
            return
        found: dict[str, list[tuple[str, PortText | None]]] = {}
        for part in service.slices:
            for address, host in part.endpoints:
                own = f"{host or dashed(address)}.{below}"
                self._put(own, family(address), address)
                offers = [(own, port) for port in part.ports or (None,)]
                found.setdefault(own, []).extend(offers)
                if service.kind == Kind.HEADLESS:
                    self._put(below, family(address), address)
                    found.setdefault(below, []).extend(offers)
                    for port in part.ports:
                        for owner in port_names(port, below):
                            self._put(owner, family(address), address)
                            found.setdefault(owner, []).append((own, port))
        for owner, offers in found.items():
            self._put_srv(owner, offers)

    def _put_srv(self, owner: str, offers: list[tuple[str, PortText | None]]) -> None:
        weight = max(1, 100 // max(1, len(offers)))
        srv = [f"0 {weight} {port[2]} {to}" for to, port in offers if port]
        if srv:
            self._put(owner, "SRV", *srv)

    def _servers(self) -> list[str]:
        found = [
            ip
            for service in self.cluster.services.values()
            if any(same(ip, own) for part in service.slices for ip, _ in part.endpoints for own in self._own())
            for ip in self._reached_at(service)
        ]
        return found or self._own()

    def _reached_at(self, service: Service) -> list[str]:
        if self.setup.headless and service.kind == Kind.HEADLESS and not service.outside:
            return [ip for part in service.slices for ip, _ in part.endpoints]
        return addresses(service)

    def _own(self) -> list[str]:
        return [ip for ip in self.setup.addresses if not ip.startswith(("169.254.", "fe80:"))]


def join(below: str, origin: str) -> str:
    return f"{below}.{origin}" if origin != "." else f"{below}."


def addresses(service: Service) -> list[str]:
    """The addresses that a Service has outside."""
    return [place for place in service.outside if not place.endswith(".")]
