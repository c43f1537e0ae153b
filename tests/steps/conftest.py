"""Upstreams are asked in each way that systems offer: one datagram for each system call, or many; and their certificates."""

import pytest

from kdns.serve import mmsg
from tests.steps.certificates import Made, made_in
from tests.steps.ways import DATAGRAMS

_MANY = pytest.param(
    "many", id="many", marks=pytest.mark.skipif(not mmsg.available, reason="no recvmmsg on this system")
)


@pytest.fixture(scope="module", params=[pytest.param("one", id="one by one"), _MANY])
def each_way(request: pytest.FixtureRequest) -> None:
    """Lets ways.datagrams return the parameter."""
    DATAGRAMS["now"] = mmsg.Connected() if request.param == "many" else None


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Certificates of upstreams and clients."""
    return made_in(tmp_path_factory.mktemp("certificates"))
