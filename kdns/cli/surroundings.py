"""What flags are read in: environment, resolv.conf, cgroups, standard input. What they mean is config.flags' to say."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kdns.config.defaults import STATE_FOLDER
from kdns.config.flags import Surroundings

_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def surroundings() -> Surroundings:
    """What lies around this process."""
    return Surroundings(
        kubeconfig=os.environ.get("KUBECONFIG", ""),
        in_pod=bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _TOKEN.exists(),
        resolv_conf=_text(_RESOLV_CONF),
        is_own=_is_own,
        workers=_workers,
        state_folder=STATE_FOLDER if Path(STATE_FOLDER).is_dir() else "",
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _is_own(host: str) -> bool:
    """Whether an address is this machine's: only such a one can be bound."""
    import socket  # noqa: PLC0415 - asked only where an upstream has a port that is listened on

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
        return True


def _workers() -> int:
    from kdns.config import workers  # noqa: PLC0415 - asked only for --workers auto

    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return workers.automatic(len(affinity(0)) if affinity else os.cpu_count() or 1, workers.limits())


def keep_standard_input() -> None:
    """Turns standard input into a file of its octets, since a controller that is replaced reads them again."""
    import shutil  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with open(0, "rb", closefd=False) as given, tempfile.TemporaryFile() as kept:
        if not given.seekable():
            shutil.copyfileobj(given, kept)
            kept.flush()
            os.dup2(kept.fileno(), 0)
