"""The filter, by an interpreter of the instructions that it uses; what it leads to is seen in test_command."""

import struct

import pytest

from kdns.dev.exchange import program
from kdns.dev.kernel import MACHINES, Machine

ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
ADDRESS = 0x7FFC_0000_0000


def verdict(machine: Machine, *, number: int, audit: int, address: int = 0) -> int:
    """What the filter says of a call with such a fifth argument (seccomp(2), struct seccomp_data)."""
    data = struct.pack("=iIQ6Q", number, audit, 0, 3, 0, 0, 0, address, 16)
    instructions, at, loaded = program(machine), 0, 0
    while True:
        code, then, otherwise, value = instructions[at]
        at += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("=I", data, value)
        elif code == 0x15:
            at += then if loaded == value else otherwise
        else:
            assert code == 0x06
            return value


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_connect_is_told_of_and_sendto_where_it_has_an_address(machine: Machine) -> None:
    def said(number: int, address: int = 0) -> int:
        return verdict(machine, number=number, audit=machine.audit, address=address)

    assert said(machine.connect) == NOTIFY
    assert said(machine.sendto) == ALLOW
    assert said(machine.sendto, ADDRESS) == NOTIFY
    assert said(machine.sendto, 0x1000) == NOTIFY
    assert said(machine.connect + 1, ADDRESS) == ALLOW


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_programs_for_other_machines_are_left_alone(machine: Machine) -> None:
    assert verdict(machine, number=machine.connect, audit=0x40000003) == ALLOW
