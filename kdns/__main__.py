"""kdns from a shell: `kdns` or `kubectl kdns` where it is installed, `python -m kdns` where it isn't.

Imports nothing but the command line, so that --help and --version answer at once.
"""

import sys
from io import TextIOWrapper

from kdns.cli.arguments import run
from kdns.cli.declaring import PLUGIN


def main() -> None:
    """Runs the command that the arguments name, and exits with its status."""
    _legible()
    sys.exit(run(sys.argv[1:]))


def kubectl() -> None:
    """The same as kubectl's plugin: kubectl-kdns on the search path is `kubectl kdns`."""
    _legible()
    sys.exit(run(sys.argv[1:], PLUGIN))


def kubectl_complete() -> None:
    """What kubectl's completion asks for it, as kubectl_complete-kdns."""
    from kdns.cli.completion import for_kubectl  # noqa: PLC0415 - seldom asked for

    sys.stdout.write(for_kubectl(sys.argv[1:]))


def _legible() -> None:
    """A terminal or file that can't have a character (✔, say) gets another for it, and no error ends the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    main()
