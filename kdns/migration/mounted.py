"""The files that a Corefile of a ConfigMap finds around it: what the pod mounts, so that its imports can be followed.

Stands for the container's file system in reading a Corefile; there is nothing in it but texts of ConfigMaps.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence


class Mounted:
    """Files by their path in the container."""

    def __init__(self, texts: Mapping[str, str], folder: str) -> None:
        """Takes the folder in which the server is started."""
        self._texts = texts
        self._folder = folder

    def read(self, path: str) -> bytes:
        """The file's octets. Raises FileNotFoundError."""
        found = self._texts.get(posixpath.normpath(posixpath.join(self._folder, path)))
        if found is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        return found.encode()

    def glob(self, pattern: str) -> Sequence[str]:
        """The paths that fit a pattern, sorted."""
        whole = posixpath.normpath(posixpath.join(self._folder, pattern))
        fits = re.compile("".join({"*": "[^/]*", "?": "[^/]"}.get(each) or re.escape(each) for each in whole))
        return sorted(path for path in self._texts if fits.fullmatch(path))
