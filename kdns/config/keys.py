"""The key of a server block: [scheme://]zone[:port].

Source: CoreDNS 1.14, core/dnsserver/register.go, plugin/normalize.go. CoreDNS takes an unknown scheme, or what isn't a
number behind a colon, for a part of the zone's name, which then nobody asks for; here it is a problem.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.complaints import did_you_mean
from kdns.config.syntax import Problem, Token
from kdns.config.zones import expand
from kdns.dns.names import Name, NameTextError

Scheme: TypeAlias = Literal["dns", "tls", "quic", "grpc", "https", "https3"]

SCHEMES: Final[tuple[Scheme, ...]] = get_args(Scheme)
# Ports of keys that name none; that of plain DNS is the command line's.
PORTS: Final[Mapping[Scheme, int]] = {"tls": 853, "quic": 853, "grpc": 443, "https": 443, "https3": 443}
_PORT_MAX: Final = 65535


class Key(NamedTuple):
    """Where a server block's questions come in, and which they are."""

    scheme: Scheme
    zones: tuple[Name, ...]  # at least one; several for a range of addresses
    port: int | None  # None where neither key nor scheme says one; 0 for a free one
    token: Token


def parse(token: Token) -> Key | Problem:
    """The key that the token is, or what is wrong with it."""
    name, separator, rest = token.text.partition("://")
    if not separator:
        name, rest = "dns", token.text
    scheme = next((each for each in SCHEMES if each == name), None)
    if scheme is None:
        hint = did_you_mean(name, SCHEMES) or f"leave it out, or write one of {', '.join(SCHEMES)}"
        return _problem(token, f'unknown scheme "{name}"', hint)
    zone, port = _split(rest)
    if not zone:
        return _problem(token, f'found no zone in "{token.text}"', "write . for all names")
    if port == "":
        return _problem(token, f'found nothing behind the colon of "{token.text}", expected a port')
    if port is not None and (len(port) > 5 or int(port) > _PORT_MAX):
        return _problem(token, f'found the port "{port}", expected 0 to {_PORT_MAX}')
    try:
        zones = expand(zone)
    except NameTextError as error:
        return _problem(token, f'found no zone in "{zone}": {error}')
    return Key(scheme, zones, PORTS.get(scheme) if port is None else int(port), token)


def _split(text: str) -> tuple[str, str | None]:
    """Zone and port; the port is None where there is none, empty where nothing is behind its colon."""
    zone, colon, port = text.rpartition(":")
    if not colon:
        return text, None
    return (zone, port) if not port or (port.isascii() and port.isdigit()) else (text, None)


def _problem(token: Token, message: str, hint: str = "") -> Problem:
    return Problem(token.place, message, hint, width=token.width)
