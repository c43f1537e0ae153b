"""kdns from a shell: `kdns` where it is installed, `python -m kdns` where it isn't.

Imports nothing but the command line, so that --help and --version answer at once.
"""

import sys

from kdns.cli.arguments import run


def main() -> None:
    """Runs the command that the arguments name, and exits with its status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
