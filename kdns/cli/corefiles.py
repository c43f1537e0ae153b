"""A Corefile for the command serve: read whole, and told to the operator where anything is wrong with it.

Imported only where there is one: what reads it is much.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from kdns.config import complaints, servers
from kdns.config.disk import Disk
from kdns.config.flags import Flags, Surroundings, port_of, serving_servers
from kdns.config.parser import parse
from kdns.config.seen import Again, Machine, Witness, pack, unpack
from kdns.config.servers import Place
from kdns.config.serving import Servers, Serving
from kdns.config.settings import SettingsError
from kdns.config.syntax import ERROR, WARNING
from kdns.serve.local import interface_addresses

STDIN: Final = "stdin"  # as CoreDNS calls it


class Here(Disk):
    """This machine; its standard input is what is read where the Corefile is called so."""

    def __init__(self, path: str) -> None:
        self._reads_stdin = path == STDIN

    def read(self, path: str) -> bytes:
        """As Disk.read."""
        return sys.stdin.buffer.read() if self._reads_stdin and path == STDIN else super().read(path)

    def addresses_of(self, interface: str) -> Sequence[str]:
        """The addresses of an interface."""
        return interface_addresses(interface)


class Found(NamedTuple):
    """What a Corefile comes to."""

    servers: Servers | None  # None where it can't be served
    problems: str  # as an operator reads them, warnings among them; lines with their ends
    lines: tuple[str, ...]  # the same in a line each, without information; where it can't be served the errors alone


class UnreadableError(SettingsError):
    """There is no such file, or it can't be read."""


class Corefile:
    """The Corefile of a command line: read as it is now, or once more as it was seen."""

    def __init__(self, flags: Flags, around: Surroundings) -> None:
        assert flags.conf is not None
        self.path: Final = flags.conf
        self.seen = ""  # config.seen.pack of what was read last, even where nothing came of it
        self.digest = ""  # SHA-512 of that
        self._flags = flags
        self._around = around

    def read(self) -> Found:
        """As it is now. Raises UnreadableError."""
        witness = Witness(Here(self.path))
        try:
            return self._read(witness)
        finally:
            self.seen = pack(witness.seen)

    def settings(self, servers: Servers) -> Serving:
        """What is served by these servers and the flags beside them. Raises SettingsError where they don't go together."""
        return serving_servers(self._flags, self._around, servers)

    def again(self, seen: str) -> Serving:
        """The settings of what was seen, in a process that hasn't seen it. Raises SettingsError where there are none."""
        found = self._read(Again(unpack(seen)))
        if found.servers is None:
            raise SettingsError(found.lines[0])
        return self.settings(found.servers)

    def _read(self, machine: Machine) -> Found:
        try:
            octets = machine.read(self.path)
        except OSError as error:
            raise UnreadableError(f"{self.path}: {error.strerror}, expected a Corefile") from error
        port = port_of(self._flags)
        corefile = parse(octets, self.path, machine, os.environ)
        found = servers.read(corefile.blocks, Place(port, machine.addresses_of))
        problems = (*corefile.problems, *found.problems)
        texts = {source.path: source.text for source in corefile.sources}
        told = complaints.render(problems, texts)
        errors = [problem for problem in problems if problem.severity == ERROR]
        counted = errors or [problem for problem in problems if problem.severity == WARNING]
        lines = tuple(map(complaints.said, complaints.ordered(counted, texts)))
        self.digest = corefile.digest
        if errors:
            return Found(None, told, lines)
        return Found(found.servers if corefile.blocks else servers.default(port), told, lines)
