"""Kinds of the network: IP addresses, ranges of them, where to listen, whom to ask.

Addresses are kept as texts in their one usual form. A host name stays a name: who uses it resolves it.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, Literal, NamedTuple, TypeAlias

from kdns.config.forms import UnfitError
from kdns.config.kinds import of_text
from kdns.config.settings import Address
from kdns.config.shapes import Kind
from kdns.config.syntax import Token
from kdns.dns import names

Network: TypeAlias = IPv4Network | IPv6Network
Transport: TypeAlias = Literal["dns", "tls", "https"]

DNS_PORT: Final = 53
HTTPS_PORT: Final = 443
DOH_PATH: Final = "/dns-query"  # as good as every server's, and CoreDNS' only one
_PORTS: Final[dict[str, int]] = {"dns": DNS_PORT, "tls": 853, "https": HTTPS_PORT}
# RFC 3986 section 3.3: what a path is made of. The question goes where ? would begin.
_PATH: Final = frozenset("/-._~%!$&'()*+,;=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TRANSPORTS: Final[tuple[Transport, ...]] = ("dns", "tls", "https")
_OTHER_TRANSPORTS: Final = ("grpc", "quic", "https3", "unix")
EVERY_NETWORK: Final[tuple[Network, ...]] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class Upstream(NamedTuple):
    """A server to ask, or what is to become some by the time of asking.

    An address has transport and port, with TLS maybe the name that its certificate has to have, with HTTPS a path. A file is like
    resolv.conf and names servers. A host is a file if there is one of the name, else a name to resolve at the start.
    """

    sort: Literal["address", "file", "host"]
    host: str  # the address, name or path
    transport: Transport = "dns"
    port: int = DNS_PORT
    server_name: str = ""
    path: str = ""  # of https


def ip_text(text: str) -> str:
    """The address in its usual form; raises ValueError. An IPv6 address may name its interface."""
    return str(ip_address(text))


def is_address(text: str) -> bool:
    """Whether it is an IP address, which may name its interface if it is one of IPv6."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def split(text: str) -> tuple[str, str]:
    """Host and port of host:port, [host]:port, [host] or host, the port empty where there is none."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return (host, rest[1:]) if rest.startswith(":") else (host, "") if not rest else (text, "")
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, ""


def _port(text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and least <= int(text) <= 65535):
        raise UnfitError(f"a port from {least} to 65535")
    return int(text)


def _listen(text: str) -> Address:
    host, port = split(text)
    if not port:
        raise ValueError(text)
    if host == "localhost":
        host = "127.0.0.1"
    return Address(ip_text(host) if host else "", _port(port))


def _with_port(text: str) -> Address:
    host, port = split(text)
    return Address(ip_text(host), _port(port, 1) if port else DNS_PORT)


def _upstream(token: Token) -> Upstream:
    scheme, mark, rest = token.text.partition("://")
    if not mark:
        scheme, rest = "dns", token.text
    transport = next((each for each in _TRANSPORTS if each == scheme), None)
    if transport is None:
        raise UnfitError("an upstream by dns://, tls:// or https://")
    path = ""
    if transport == "https":
        rest, path = _path(rest)
    if not mark and "/" in rest:
        return Upstream("file", rest)
    server, name = _server_name(rest) if transport != "dns" else (rest, "")
    host, port_text = split(server)
    port = _port(port_text, 1) if port_text else _PORTS[transport]
    try:
        return Upstream("address", ip_text(host), transport, port, name, path)
    except ValueError:
        return Upstream("host", _host(host), transport, port, name, path)


def _path(text: str) -> tuple[str, str]:
    """What is before the path, and the path."""
    before, slash, rest = text.partition("/")
    if not _PATH.issuperset(rest):
        raise UnfitError("an https:// upstream whose path has neither ? nor # nor other characters that need a %")
    return before, slash + rest or DOH_PATH


def _server_name(text: str) -> tuple[str, str]:
    """IP%NAME:PORT without the name, and the name."""
    server, percent, rest = text.rpartition("%")
    if not percent:
        return text, ""
    name, colon, port = rest.partition(":")
    bracket = "]" if server.startswith("[") else ""
    return f"{server}{bracket}{colon}{port}", name.removesuffix("]")


def _host(text: str) -> str:
    if not text or text.replace(".", "").isdigit() or ":" in text:
        raise UnfitError("an IP address, a file or a host name")
    try:
        names.from_text(text)
    except names.NameTextError as error:
        raise UnfitError(f"an IP address, a file or a host name ({error})") from error
    return text


def _network(text: str) -> Network:
    if "/" not in text or "%" in text:
        raise ValueError(text)
    return ip_network(text, strict=False)


def _networks_or_all(text: str) -> tuple[Network, ...]:
    if text == "*":
        return EVERY_NETWORK
    return (_network(text) if "/" in text else ip_network(ip_address(text)),)


def _dns64_prefix(text: str) -> IPv6Network:
    network = _network(text)
    if not isinstance(network, IPv6Network) or network.prefixlen % 8 or not 32 <= network.prefixlen <= 96:
        raise ValueError(text)
    return network


def _transfer_target(text: str) -> Address | None:
    return None if text == "*" else _with_port(text)


IP: Final = of_text("an IP address", ip_text, "192.0.2.1")
LISTEN: Final = of_text("an address to listen on such as :8080 or 127.0.0.1:8080", _listen, "127.0.0.1:8080")
IP_PORT: Final = of_text("an IP address, with a port or without", _with_port, "192.0.2.1:53")
UPSTREAM: Final = Kind(
    "an IP address, a file like resolv.conf or a host name",
    _upstream,
    "192.0.2.1",
    opens=lambda upstream: upstream.host if upstream.sort == "file" else None,
)
NETWORK: Final = of_text("a range of addresses such as 10.0.0.0/8", _network, "10.0.0.0/8")
NETWORKS_OR_ALL: Final = of_text(
    "an IP address, a range such as 10.0.0.0/8, or * for all", _networks_or_all, "10.0.0.0/8"
)
DNS64_PREFIX: Final = of_text(
    "an IPv6 prefix of 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits", _dns64_prefix, "64:ff9b::/96"
)
TRANSFER_TARGET: Final = of_text("an IP address, with a port or without, or * for all", _transfer_target, "192.0.2.1")
