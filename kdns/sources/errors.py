"""What goes wrong with a source: the API server, a kubeconfig, a manifest, a snapshot.

The message is one line that names where it is (file, line and column, or field, or URL), what
was found, what was expected. Whether trying again helps is for who catches it to decide.
"""


class SourceError(Exception):
    """A source can't be read now; the message is one line for the operator."""


def yaml_place(path: str, line: int, column: int) -> str:
    """Where in a file, as editors and compilers write it; line and column count from 0, as PyYAML's marks do."""
    return f"{path}:{line + 1}:{column + 1}"
