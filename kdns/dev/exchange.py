"""Sockets that ask the name server, exchanged for sockets of the network in which it is.

A program that calls connect or sendto with the name server's address has the socket that it means replaced by one of
that network, of the same kind, and the call is then done as it was made. All its other sockets are the machine's. The
program doesn't notice: not who sends the reply, either, which musl and others look at. It is no guard: who wants to
get around it can.

Left as they are: sockets of IPv6, sendmsg with an address, and programs for another processor than the machine's.
"""

import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Final

from kdns.dev import kernel
from kdns.dev.kernel import Instruction, Notice
from kdns.dev.network import Network

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
# Where in struct seccomp_data the call's number, the machine, and both halves of the fifth argument are.
_NUMBER, _MACHINE, _ADDRESS, _ADDRESS_TOO = 0, 4, 48, 52
_NAME: Final = struct.Struct("=H2s4s")  # of struct sockaddr_in: family, port, address; both in network order
_FLAGS: Final = "flags:"  # a line of /proc/PID/fdinfo/FD, in octal


def program(machine: kernel.Machine) -> tuple[Instruction, ...]:
    """The filter that tells of each connect, and of each sendto with an address."""
    return (
        Instruction(_LOAD, 0, 0, _MACHINE),
        Instruction(_IF_EQUAL, 0, 8, machine.audit),
        Instruction(_LOAD, 0, 0, _NUMBER),
        Instruction(_IF_EQUAL, 5, 0, machine.connect),
        Instruction(_IF_EQUAL, 0, 5, machine.sendto),
        Instruction(_LOAD, 0, 0, _ADDRESS),
        Instruction(_IF_EQUAL, 0, 2, 0),
        Instruction(_LOAD, 0, 0, _ADDRESS_TOO),
        Instruction(_IF_EQUAL, 1, 0, 0),
        Instruction(_RETURN, 0, 0, _NOTIFY),
        Instruction(_RETURN, 0, 0, _ALLOW),
    )


class Exchange:
    """Answers what the filter tells of, in a thread of its own that is in the network."""

    def __init__(self, listener: int, network: Network, nameserver: tuple[str, int]) -> None:
        host, port = nameserver
        self._listener = listener
        self._network = network
        self._name = _NAME.pack(socket.AF_INET, port.to_bytes(2, "big"), socket.inet_aton(host))

    def run(self) -> None:
        """Goes on until the process ends."""
        self._network.enter()
        while True:
            # Whoever called may be gone at any moment; then there is nobody to answer.
            with contextlib.suppress(FileNotFoundError, InterruptedError):
                notice = kernel.receive(self._listener)
                try:
                    with contextlib.suppress(OSError, ValueError):  # the call itself says what is wrong with it
                        self._look(notice)
                finally:
                    kernel.let_go(self._listener, notice)

    def _look(self, notice: Notice) -> None:
        descriptor = notice.arguments[0]
        address = notice.arguments[1 if notice.number == kernel.machine().connect else 4]
        if _memory(notice.thread, address, _NAME.size) != self._name:
            return
        kind = _kind(kernel.copied(_process(notice.thread), descriptor))
        if kind is None:
            return
        flags = _open_flags(notice.thread, descriptor)
        with socket.socket(socket.AF_INET, kind) as ours:
            ours.setblocking(not flags & os.O_NONBLOCK)
            close = bool(flags & os.O_CLOEXEC)
            kernel.replace(self._listener, notice, ours.fileno(), descriptor, close_on_exec=close)


def _kind(descriptor: int) -> int | None:
    """The type of a socket of IPv4, None for another. The descriptor is closed. Raises OSError where it is no socket."""
    try:
        theirs = socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        raise
    with theirs:
        return theirs.type if theirs.family == socket.AF_INET else None


def _memory(thread: int, address: int, size: int) -> bytes:
    memory = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(memory, size, address)
    finally:
        os.close(memory)


def _process(thread: int) -> int:
    return int(_line(f"/proc/{thread}/status", "Tgid:"))


def _open_flags(thread: int, descriptor: int) -> int:
    return int(_line(f"/proc/{thread}/fdinfo/{descriptor}", _FLAGS), 8)


def _line(path: str, start: str) -> str:
    """What follows the start of a line. Raises ValueError where there is none."""
    with Path(path).open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if line.startswith(start):
                return line.removeprefix(start).strip()
    raise ValueError(f"{path}: found no {start}")
