"""The image, made once for the tests that look at it or start it."""

import os
from pathlib import Path

import pytest

from tests.kit.image import Stages


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's folder; KDNS_IMAGE names one that was made before. Takes root: the stages have root directories of their own."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces and capabilities of files")
    made = os.environ.get("KDNS_IMAGE")
    return Path(made) if made else Stages(tmp_path_factory.mktemp("image")).build()
