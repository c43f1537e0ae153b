"""Servers: from a Corefile's server blocks to what listens where, and which block answers which name there.

Two blocks may have the same zone only if their
addresses differ or a view tells them apart.
Source: CoreDNS 1.14, core/dnsserver/register.go and address.go.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, get_args

from kdns.config import syntax, table
from kdns.config.clusters import disagreements
from kdns.config.directives.bare import Whoami
from kdns.config.directives.k8s_external import K8sExternal
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.log import Log
from kdns.config.directives.places import Bind, Bound
from kdns.config.directives.searchpath import Searchpath
from kdns.config.directives.view import View
from kdns.config.keys import Key, parse
from kdns.config.serving import ALL_ADDRESSES, Block, Listener, Route, Scheme, Servers
from kdns.config.settings import Address
from kdns.config.syntax import ERROR, WARNING, Problem, ServerBlock, Severity, Token
from kdns.dns import names
from kdns.dns.names import Name

_OF_CLUSTER: Final = (
    (K8sExternal, "k8s_external", "whose Services it would show"),
    (Searchpath, "searchpath", "whose names it would complete"),
)
SPOKEN: Final[tuple[Scheme, ...]] = get_args(Scheme)


class Found(NamedTuple):
    """What was read, and all that is wrong with it: it can be served only if none of the problems is an error."""

    servers: Servers
    problems: tuple[Problem, ...]


class Place(NamedTuple):
    """What server blocks are read in."""

    port: int  # of keys that name none
    addresses_of: Callable[[str], Sequence[str]]  # of an interface of the machine; none where there is no such


class _Claim(NamedTuple):
    """A zone that a block answers for at a listener."""

    zone: Name
    block: int
    view: bool
    token: Token


def default(port: int) -> Servers:
    """What serves without a Corefile, or with an empty one: every question is logged, and answered with who asked it."""
    block = Block((names.ROOT,), (Log(), Whoami()))
    return Servers((block,), (Listener(Address(ALL_ADDRESSES, port), "dns", (Route(names.ROOT, 0),)),))


def read(blocks: Sequence[ServerBlock], place: Place) -> Found:
    """The servers that server blocks describe."""
    reading = _Reading(place)
    for block in blocks:
        reading.take(block)
    servers = Servers(tuple(reading.blocks), reading.listeners())
    return Found(servers, (*reading.problems, *disagreements(reading.clusters)))


class _Reading:
    """Blocks, claims and problems so far."""

    def __init__(self, place: Place) -> None:
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []
        self.clusters: list[tuple[syntax.Place, Kubernetes]] = []
        self._place = place
        self._claims: dict[tuple[Scheme, Address], list[_Claim]] = {}

    def take(self, block: ServerBlock) -> None:
        keys = [key for key in map(self._key, block.keys) if key is not None]
        zones = tuple(dict.fromkeys(zone for key in keys for zone in key.zones))
        settings, problems = table.chain_of(block.directives, zones)
        self.problems += problems
        read = Block(zones, settings)
        number = len(self.blocks)
        self.blocks.append(read)
        if read.first(Kubernetes) is None:
            self._miss_cluster(read, block)
        lines = (line.name.place for line in block.directives if line.name.text == "kubernetes")
        self.clusters += zip(lines, read.each(Kubernetes), strict=False)
        hosts = self._hosts(read, block.keys[0])
        for key in keys:
            if key.scheme == "tls" and not any(line.name.text == "tls" for line in block.directives):
                self._report(key.token, "found no tls in this server block", "write tls CERT KEY")
            port = self._place.port if key.port is None else key.port
            for host in hosts:
                claims = self._claims.setdefault((_scheme(key), Address(host, port)), [])
                for zone in key.zones:
                    self._claim(claims, _Claim(zone, number, read.first(View) is not None, key.token))

    def _miss_cluster(self, read: Block, block: ServerBlock) -> None:
        """Reports directives that are nothing without kubernetes."""
        for kind, name, what in _OF_CLUSTER:
            if read.first(kind) is not None:
                found = next(line.name for line in block.directives if line.name.text == name)
                message = f"{name}: found no kubernetes in this server block, {what}"
                self._report(found, message, "write kubernetes with the cluster's zone")

    def listeners(self) -> tuple[Listener, ...]:
        """Those of all claims."""
        self._check_overlaps()
        return tuple(
            Listener(
                address,
                scheme,
                tuple(Route(claim.zone, claim.block) for claim in sorted(claims, key=lambda claim: -len(claim.zone))),
            )
            for (scheme, address), claims in self._claims.items()
        )

    def _key(self, token: Token) -> Key | None:
        key = parse(token)
        if isinstance(key, Problem):
            self.problems.append(key)
            return None
        if key.scheme not in SPOKEN:
            hint = "write dns:// or tls://; a proxy in front of kdns can speak the rest"
            self._report(token, f"found the scheme {key.scheme}://, which kdns doesn't speak", hint)
            return None
        return key

    def _claim(self, claims: list[_Claim], new: _Claim) -> None:
        """Adds a claim unless another block has the same."""
        for claim in claims:
            if claim.zone == new.zone and not (claim.view or new.view):
                where = f"{names.to_text(new.zone)} is served by {claim.token.place} already"
                self._report(new.token, where, "take one out, or tell them apart by bind or view")
                return
        claims.append(new)

    def _hosts(self, block: Block, token: Token) -> tuple[str, ...]:
        """The addresses that a block is bound to."""
        binds = block.each(Bind)
        if not binds:
            return (ALL_ADDRESSES,)
        hosts = dict.fromkeys(host for bind in binds for host in self._bound(bind, token))
        if not hosts:
            self._report(token, "bind: found no address to listen on")
        return tuple(hosts)

    def _bound(self, bind: Bind, token: Token) -> list[str]:
        """The addresses of one line, but for those that this line leaves out."""
        left_out = {host for each in bind.exceptions for host in self._addresses(each)}
        hosts: list[str] = []
        for bound in bind.to:
            addresses = self._addresses(bound)
            if not addresses:
                self._report(token, f'bind: found no interface "{bound.name}" with an address', severity=WARNING)
            hosts += (host for host in addresses if host not in left_out)
        return hosts

    def _addresses(self, bound: Bound) -> Sequence[str]:
        return self._place.addresses_of(bound.name) if bound.is_interface else (bound.name,)

    def _check_overlaps(self) -> None:
        """A block that listens on every address would take a bound one's questions for the same zone."""
        for (scheme, address), claims in self._claims.items():
            if address.host == ALL_ADDRESSES:
                continue
            everywhere = self._claims.get((scheme, address._replace(host=ALL_ADDRESSES)), ())
            for claim in claims:
                for other in everywhere:
                    if other.zone == claim.zone and not (claim.view or other.view):
                        message = f"{names.to_text(claim.zone)} on {address} is served by {other.token.place}, too"
                        self._report(claim.token, message, "bind both, or take one out")

    def _report(self, token: Token, message: str, hint: str = "", severity: Severity = ERROR) -> None:
        self.problems.append(Problem(token.place, message, hint, severity, token.width))


def _scheme(key: Key) -> Scheme:
    return "tls" if key.scheme == "tls" else "dns"
