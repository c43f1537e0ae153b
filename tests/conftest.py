"""What all tests have: the lab for those marked `lab`, skipped without KUBEBUILDER_ASSETS, started once where any runs."""

import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.lab import HOW_TO_RUN, Lab, assets

# Nothing is timed in a test: on a busy machine an example may take long. In CI laws look at the same examples each time, so
# that what was green stays so; everywhere else at others.
settings.register_profile(
    "kdns", deadline=None, print_blob=True, derandomize=os.environ.get("CI", "") not in {"", "false"}
)
settings.load_profile("kdns")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if assets() is None:
        for item in items:
            if item.get_closest_marker("lab"):
                item.add_marker(pytest.mark.skip(reason=HOW_TO_RUN))


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Commands set logs up for their process, which here is that of the tests after it, too."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    binaries = assets()
    if binaries is None:
        pytest.skip(HOW_TO_RUN)
    started = Lab(binaries, tmp_path_factory.mktemp("lab"))
    try:
        started.start()
        yield started
    finally:
        started.close()
