"""The entry point of the image: /coredns, coredns and kdns.

Port 53 takes the capability NET_BIND_SERVICE. Where a manifest gives it, as CoreDNS' does, a process that isn't root gets it
by the file of its interpreter alone (cap_net_bind_service=+p), and, without new privileges, only by the first exec: a
launcher in between would lose it, and a file with +ep couldn't be executed at all where the manifest doesn't give it. So the
interpreter of this script has +p, and what is permitted is put into effect here. Source: capabilities(7).
"""

_NET_BIND_SERVICE = 1 << 10


def _capabilities(which: str) -> int:
    """The capabilities of this process, permitted (CapPrm) or in effect (CapEff), as bits."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123 - pathlib takes time
        return next((int(line.split()[1], 16) for line in status if line.startswith(which)), 0)


def _take_effect(permitted: int) -> None:
    """Puts what is permitted into effect; without it the port is refused later, and that is said."""
    import ctypes  # noqa: PLC0415 - needed only for a low port

    libc = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    data = (ctypes.c_uint32 * 6)(
        permitted, permitted, 0, 0, 0, 0
    )  # effective, permitted, inheritable; low bits, high bits
    libc.capset(header, data)
    # A file with capabilities makes a process that others of its user can't look into: the metrics of memory do.
    libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE


def main() -> None:
    """Runs kdns."""
    permitted = _capabilities("CapPrm")
    if permitted & ~_capabilities("CapEff") & _NET_BIND_SERVICE:
        _take_effect(permitted & 0xFFFFFFFF)
    from kdns.__main__ import main as run  # noqa: PLC0415 - after the above, which it needs to bind

    run()


if __name__ == "__main__":
    main()
