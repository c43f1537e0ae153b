"""Gives the node's loopback interface an address more, for the server that listens there.

Run by an init container with NET_ADMIN and nothing else; doing it twice is doing it once. The address stays when the
pod goes: what asks it then is refused at once, and asks the next name server. Source: netdevice(7).
"""

import fcntl
import socket
import struct
import sys

LABEL = b"lo:kdns"
SIOCSIFADDR = 0x8916
SIOCSIFNETMASK = 0x891C


def add(address: str) -> None:
    """Adds the IPv4 address, alone in its network. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
            fcntl.ioctl(control, request, struct.pack("16sHxx4s16x", LABEL, socket.AF_INET, socket.inet_aton(value)))


if __name__ == "__main__":
    try:
        add(sys.argv[1])
    except OSError as error:
        sys.exit(f"address {sys.argv[1]}: {error.strerror or error}, expected to add it to {LABEL.decode()}")
