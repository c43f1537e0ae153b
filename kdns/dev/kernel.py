"""Linux system calls that Python 3.11 has no name for: namespaces, mounts, seccomp's notifications.

Each is a function that raises OSError as os' do. What they are used for is told elsewhere: network,
mounts and exchange. Numbers and layouts are those of unshare(2), mount(2), seccomp(2), seccomp_unotify(2) and
linux/filter.h, for x86_64 and aarch64.
"""

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

NEW_USER: Final = 0x10000000
NEW_MOUNTS: Final = 0x00020000
NEW_NETWORK: Final = 0x40000000

BIND: Final = 0x1000
SLAVE: Final = 0x80000  # what is mounted outside is seen inside, and not the other way round
RECURSIVE: Final = 0x4000
_DETACH: Final = 2

_PR_SET_PDEATHSIG: Final = 1
_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 1 << 3
_WAIT_KILLABLE: Final = 1 << 5  # since Linux 5.19; otherwise the signals of Go's runtime make calls begin anew
_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_ADD_FD: Final = 0x40182103
_ADD_IN_PLACE: Final = 1
_CONTINUE: Final = 1

# id, pid, flags; then struct seccomp_data: nr, arch, instruction pointer, six arguments.
_NOTICE: Final = struct.Struct("=QIIiIQ6Q")
_RESPONSE: Final = struct.Struct("=QqiI")
_ADDED: Final = struct.Struct("=QIIII")
_INSTRUCTION: Final = struct.Struct("=HBBI")


class Machine(NamedTuple):
    """A machine's numbers."""

    audit: int  # AUDIT_ARCH of linux/audit.h
    seccomp: int
    pidfd_getfd: int
    connect: int
    sendto: int


MACHINES: Final = {
    "x86_64": Machine(0xC000003E, 317, 438, 42, 44),
    "aarch64": Machine(0xC00000B7, 277, 438, 203, 206),
}


class Notice(NamedTuple):
    """A system call that waits for what is said of it."""

    cookie: int
    thread: int  # who called
    number: int
    arguments: tuple[int, ...]


class Instruction(NamedTuple):
    """One of a filter's (struct sock_filter)."""

    code: int
    then: int
    otherwise: int
    value: int


_libc: Final = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def machine() -> Machine:
    """The numbers of this machine. Raises OSError where they aren't known."""
    found = MACHINES.get(platform.machine()) if platform.system() == "Linux" else None
    if found is None:
        raise OSError(f"found {platform.system()} on {platform.machine()}, expected Linux on {' or '.join(MACHINES)}")
    return found


def unshare(flags: int) -> None:
    """Gives this thread namespaces of its own."""
    _checked(_libc.unshare(flags))


def enter(descriptor: int, kind: int) -> None:
    """Moves this thread into a namespace."""
    _checked(_libc.setns(descriptor, kind))


def mount(source: str, target: str, *, kind: str = "", flags: int = 0) -> None:
    """Mounts in this process' mount namespace."""
    arguments = (source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), None)
    _checked(_libc.mount(*arguments))


def detach(target: str) -> None:
    """Takes a mount away; what is bound elsewhere of it stays."""
    _checked(_libc.umount2(os.fsencode(target), _DETACH))


def die_with_parent(signal: int, parent: int) -> None:
    """Has this process get the signal when the thread that made it ends, at once if the parent has ended already."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal), 0, 0, 0))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal)


def listen(program: Sequence[Instruction]) -> int:
    """Puts a filter on this thread, and on all that it will make; the descriptor that tells of its calls."""
    octets = b"".join(_INSTRUCTION.pack(*each) for each in program)
    whole = _Program(len(program), octets)
    try:
        return _seccomp(_NEW_LISTENER | _WAIT_KILLABLE, whole)
    except OSError:
        return _seccomp(_NEW_LISTENER, whole)


def _seccomp(flags: int, program: _Program) -> int:
    return _checked(_libc.syscall(machine().seccomp, _SET_MODE_FILTER, flags, ctypes.byref(program)))


def receive(listener: int) -> Notice:
    """The next call; waits for it. Raises FileNotFoundError where its caller has gone meanwhile."""
    room = bytearray(_NOTICE.size)
    fcntl.ioctl(listener, _RECEIVE, room)
    cookie, thread, _flags, number, _audit, _at, *arguments = _NOTICE.unpack(room)
    return Notice(cookie, thread, number, tuple(arguments))


def replace(listener: int, notice: Notice, descriptor: int, theirs: int, *, close_on_exec: bool) -> None:
    """Puts a descriptor of ours in the place of one of the caller's."""
    flags = os.O_CLOEXEC if close_on_exec else 0
    fcntl.ioctl(listener, _ADD_FD, _ADDED.pack(notice.cookie, _ADD_IN_PLACE, descriptor, theirs, flags))


def let_go(listener: int, notice: Notice) -> None:
    """Has the call done as it was made."""
    fcntl.ioctl(listener, _SEND, bytearray(_RESPONSE.pack(notice.cookie, 0, 0, _CONTINUE)))


def copied(process: int, descriptor: int) -> int:
    """A descriptor of another process, as one of ours."""
    whose = os.pidfd_open(process)
    try:
        return _checked(_libc.syscall(machine().pidfd_getfd, whose, descriptor, 0))
    finally:
        os.close(whose)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
