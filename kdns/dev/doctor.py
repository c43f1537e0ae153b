"""What of kdns dev can work on this machine, and what stands in its way; it looks, and changes nothing."""

import socket
from pathlib import Path
from typing import Final, NamedTuple

from kdns.dev import backends, kernel, rights
from kdns.dev.network import Network
from kdns.dev.process import told_by

_NSSWITCH_CONF: Final = Path("/etc/nsswitch.conf")
# Who takes names that end in .local for multicast DNS' alone, unless they have more labels than two.
_MDNS: Final = "mdns"


class Finding(NamedTuple):
    """What was looked at; why is empty where all is well."""

    what: str
    why: str = ""

    def __str__(self) -> str:
        return f"✘ {self.what}: {self.why}" if self.why else f"✔ {self.what}"


def look(listen: tuple[str, int]) -> tuple[Finding, ...]:
    """All findings. This process must have one thread."""
    return (
        Finding("a command with a name server of its own (-- COMMAND)", _namespaces()),
        Finding("a port to answer on ({}:{})".format(*listen), _port(listen)),
        Finding("the machine's resolver (--split-dns)", backends.found().why),
        Finding("names that end in .local", _local()),
    )


def _namespaces() -> str:
    """Tried by a process of its own, since there is no way back."""
    return told_by(_attempt)


def _attempt() -> str:
    try:
        kernel.machine()
        rights.acquire()
        Network.make()
        kernel.unshare(kernel.NEW_MOUNTS)
    except OSError as error:
        return str(error)
    return ""


def _port(listen: tuple[str, int]) -> str:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(listen)
            except OSError as error:
                return error.strerror or str(error)
    return ""


def _local() -> str:
    try:
        lines = _NSSWITCH_CONF.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    hosts = next((line for line in lines if line.startswith("hosts:")), "")
    found = [each for each in hosts.split() if each.startswith(_MDNS)]
    return f"{found[0]} in {_NSSWITCH_CONF} may keep them from the DNS" if found else ""
