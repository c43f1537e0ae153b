"""How each kind of machine is told to ask kdns for one zone alone: commands, and what takes them back.

Pure. What there is to see of the change while it lasts is its trace, a path; where that is missing there is nothing to take
back. Sources: resolvectl(1) and systemd's RESOLVED-VPNS (a routing domain of a link; others are searched, too), nmcli(1) (general
reload), dnsmasq(8) (server), resolver(5) of macOS.
"""

import shlex
from typing import Final, NamedTuple

LINK: Final = "kdns0"
# A link takes part in resolving only with an address beyond its host: one of RFC 5737's, which no machine has.
_ADDRESS: Final = "192.0.2.53/32"
_FOLDER: Final = "/etc/resolver"
_DNSMASQ_FOLDER: Final = "/etc/NetworkManager/dnsmasq.d"


class Target(NamedTuple):
    """Who is to be asked for which zone."""

    zone: str
    host: str
    port: int
    search: tuple[str, ...] = ()  # domains by which short names are completed, where the machine can do that


class Plan(NamedTuple):
    """Commands of a shell, for root, in their order."""

    name: str
    install: tuple[str, ...]
    undo: tuple[str, ...]
    trace: str


def resolved(target: Target) -> Plan:
    """systemd-resolved: a link of its own with the zone as its routing domain. It forgets all of it with the link."""
    domains = target.search if target.zone in target.search else (*target.search, f"~{target.zone}")
    return Plan(
        "systemd-resolved",
        (
            f"ip link add {LINK} type dummy",
            f"ip address add {_ADDRESS} dev {LINK}",
            f"ip link set {LINK} up",
            f"resolvectl dns {LINK} {target.host}:{target.port}",
            f"resolvectl domain {LINK} {shlex.join(domains)}",
            f"resolvectl default-route {LINK} no",
        ),
        (f"ip link delete {LINK}",),
        f"/sys/class/net/{LINK}",
    )


def networkmanager(target: Target) -> Plan:
    """NetworkManager with a dnsmasq of its own: a file that this reads when it is started anew, which NetworkManager does."""
    path = f"{_DNSMASQ_FOLDER}/kdns.conf"
    line = f"server=/{target.zone}/{target.host}#{target.port}"
    reload = "nmcli general reload dns-full"
    return Plan(
        "NetworkManager's dnsmasq",
        (f"mkdir -p {_DNSMASQ_FOLDER}", f"test ! -e {path}", f"echo {shlex.quote(line)} > {path}", reload),
        (f"rm -f {path}", reload),
        path,
    )


def macos(target: Target) -> Plan:
    """macOS: a file for the zone, which mDNSResponder is told to read."""
    path = f"{_FOLDER}/{target.zone}"
    lines = f"# kdns dev\\nnameserver {target.host}\\nport {target.port}\\n"
    read = "killall -HUP mDNSResponder"
    return Plan(
        "macOS resolver file",
        (f"mkdir -p {_FOLDER}", f"test ! -e {shlex.quote(path)}", f"printf '{lines}' > {shlex.quote(path)}", read),
        (f"rm -f {shlex.quote(path)}", read),
        path,
    )


def advice(target: Target) -> str:
    """What to do by hand where neither is at work, a line each."""
    return (
        "NetworkManager: dns=dnsmasq in the section [main] of /etc/NetworkManager/conf.d/dns.conf, then systemctl reload "
        "NetworkManager, and kdns dev once more\n"
        f"dnsmasq by itself: server=/{target.zone}/{target.host}#{target.port} in /etc/dnsmasq.d/kdns.conf, then "
        "systemctl restart dnsmasq\n"
        "neither: kdns dev ... -- COMMAND, which changes nothing\n"
    )
