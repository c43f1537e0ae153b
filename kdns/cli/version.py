"""The version: of kdns, and of what it runs on, as a report of a fault needs it."""

import platform
from functools import partial

from kdns import __version__
from kdns.cli import results


def version(output: str) -> int:
    """Tells it; the exit status."""
    value = {
        "version": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    results.show(output, partial(dict, value), partial(_text, value))
    return 0


def _text(value: dict[str, str]) -> str:
    return f"kdns {value['version']}\n{value['python']}\n{value['system']}\n"
