"""The files around a Corefile as the disk has them: what kdns.config.imports.Files is outside of tests."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path


class Disk:
    """Files of this machine; relative paths begin at the working directory."""

    def read(self, path: str) -> bytes:
        """The file's octets. Raises OSError."""
        return Path(path).read_bytes()

    def trouble(self, path: str) -> str:
        """Why there is no reading the file or folder, empty if there is."""
        try:
            Path(path).stat()
        except OSError as error:
            return error.strerror or str(error)
        return "" if os.access(path, os.R_OK) else "Permission denied"

    def glob(self, pattern: str) -> Sequence[str]:
        """The paths that fit a pattern of `*` and `?`, sorted, hidden files too, as Go's filepath.Glob has them."""
        # Path.glob takes no absolute pattern.
        return sorted(glob.glob(pattern, include_hidden=True))  # noqa: PTH207
