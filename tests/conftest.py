"""The lab for tests marked `lab`: skipped without KUBEBUILDER_ASSETS, started once where any of them runs."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.lab import HOW_TO_RUN, Lab, assets

# Nothing is timed in a test: on a busy machine an example may take long.
settings.register_profile("kdns", deadline=None, print_blob=True)
settings.load_profile("kdns")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if assets() is None:
        for item in items:
            if item.get_closest_marker("lab"):
                item.add_marker(pytest.mark.skip(reason=HOW_TO_RUN))


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
