"""A Corefile for the command serve: read whole, and told to the operator where anything is wrong with it.

Imported only where there is one: what reads it is much.
"""

import os
import sys
from pathlib import Path
from typing import Final

from kdns.config import complaints, servers
from kdns.config.disk import Disk
from kdns.config.parser import parse
from kdns.config.servers import Place
from kdns.config.serving import Servers
from kdns.config.settings import SettingsError
from kdns.config.syntax import ERROR
from kdns.serve.local import interface_addresses

STDIN: Final = "stdin"  # as CoreDNS calls it


def read(path: str, port: int) -> Servers | None:
    """The servers of a Corefile, whose keys without a port have this one; None where it can't be served.

    Problems are printed to standard error. Raises SettingsError where there is no such file.
    """
    try:
        octets = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}, expected a Corefile") from error
    corefile = parse(octets, path, Disk(), os.environ)
    found = servers.read(corefile.blocks, Place(port, interface_addresses))
    problems = (*corefile.problems, *found.problems)
    if problems:
        sys.stderr.write(complaints.render(problems, {source.path: source.text for source in corefile.sources}))
    if any(problem.severity == ERROR for problem in problems):
        return None
    return found.servers if corefile.blocks else servers.default(port)
