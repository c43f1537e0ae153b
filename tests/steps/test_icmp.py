"""What the network says instead of an upstream (ICMP, routes) ends the wait at once: U03 and U41 of robustness."""

import subprocess
import sys

import pytest

from tests.integration.sandbox import why_not
from tests.server import REPOSITORY

TOLD = """\
unreachable: from 2, 0 s, No route to host
prohibit: from 2, 0 s, Permission denied
blackhole: from 2, 0 s, Invalid argument
no route: from 2, 0 s, Network is unreachable
no route by IPv6: from 2, 0 s, Network is unreachable
network unreachable: from 2, 0 s, Network is unreachable
host unreachable: from 2, 0 s, No route to host
protocol unreachable: from 2, 0 s, Protocol not available
port unreachable: from 2, 0 s, Connection refused
network unknown: from 2, 0 s, Network is unreachable
host unknown: from 2, 0 s, Host is down
network prohibited: from 2, 0 s, Network is unreachable
host prohibited: from 2, 0 s, No route to host
communication prohibited: from 2, 0 s, No route to host
"""


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_u03_whatever_the_network_says_the_next_upstream_is_asked_at_once() -> None:
    command = ("unshare", "--map-root-user", "--net", sys.executable, "-m", "tests.steps.icmp")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == (TOLD, "")
