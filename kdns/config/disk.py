"""The files around a Corefile as the disk has them: what kdns.config.imports.Files is outside of tests."""

import glob
from collections.abc import Sequence
from pathlib import Path


class Disk:
    """Files of this machine; relative paths begin at the working directory."""

    def read(self, path: str) -> bytes:
        """The file's octets. Raises OSError."""
        return Path(path).read_bytes()

    def glob(self, pattern: str) -> Sequence[str]:
        """The paths that fit a pattern of `*` and `?`, sorted, hidden files too, as Go's filepath.Glob has them."""
        # Path.glob takes no absolute pattern.
        return sorted(glob.glob(pattern, include_hidden=True))  # noqa: PTH207
