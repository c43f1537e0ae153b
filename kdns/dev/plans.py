"""How each kind of machine is told to ask kdns for one zone alone: commands, and what takes them back.

Pure. What there is to see of the change while it lasts is its trace, a path; where that is missing there is nothing to take
back. Sources: resolvectl(1) and systemd's RESOLVED-VPNS (a routing domain of a link), resolver(5) of macOS.
"""

import shlex
from typing import Final, NamedTuple

LINK: Final = "kdns0"
# A link takes part in resolving only with an address beyond its host: one of RFC 5737's, which no machine has.
_ADDRESS: Final = "192.0.2.53/32"
_FOLDER: Final = "/etc/resolver"


class Plan(NamedTuple):
    """Commands of a shell, for root, in their order."""

    name: str
    install: tuple[str, ...]
    undo: tuple[str, ...]
    trace: str


def resolved(zone: str, host: str, port: int) -> Plan:
    """systemd-resolved: a link of its own with the zone as its routing domain. It forgets all of it with the link."""
    return Plan(
        "systemd-resolved",
        (
            f"ip link add {LINK} type dummy",
            f"ip address add {_ADDRESS} dev {LINK}",
            f"ip link set {LINK} up",
            f"resolvectl dns {LINK} {host}:{port}",
            f"resolvectl domain {LINK} {shlex.quote(f'~{zone}')}",
            f"resolvectl default-route {LINK} no",
        ),
        (f"ip link delete {LINK}",),
        f"/sys/class/net/{LINK}",
    )


def macos(zone: str, host: str, port: int) -> Plan:
    """macOS: a file for the zone, which mDNSResponder is told to read."""
    path = f"{_FOLDER}/{zone}"
    lines = f"# kdns dev\\nnameserver {host}\\nport {port}\\n"
    read = "killall -HUP mDNSResponder"
    return Plan(
        "macOS resolver file",
        (f"mkdir -p {_FOLDER}", f"test ! -e {shlex.quote(path)}", f"printf '{lines}' > {shlex.quote(path)}", read),
        (f"rm -f {shlex.quote(path)}", read),
        path,
    )


def advice(zone: str, host: str, port: int) -> str:
    """What to do by hand where neither is at work, a line each."""
    return (
        f"NetworkManager with dns=dnsmasq: write server=/{zone}/{host}#{port} into "
        f"/etc/NetworkManager/dnsmasq.d/kdns.conf, then systemctl reload NetworkManager\n"
        f"dnsmasq by itself: the same line in /etc/dnsmasq.d/kdns.conf, then systemctl restart dnsmasq\n"
        "neither: kdns dev ... -- COMMAND, which changes nothing\n"
    )
