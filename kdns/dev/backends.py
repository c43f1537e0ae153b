"""Which plan fits this machine: who resolves its programs' names, found by looking alone.

NetworkManager tells by D-Bus what it does with names (org.freedesktop.NetworkManager.DnsManager, Mode): it may have a
dnsmasq of its own, or leave them to systemd-resolved.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from kdns.dev import plans
from kdns.dev.plans import Plan, Target

RESOLVED: Final = Path("/run/systemd/resolve")
_NAME: Final = "org.freedesktop.NetworkManager"
_OBJECT: Final = "/org/freedesktop/NetworkManager/DnsManager"
_INTERFACE: Final = "org.freedesktop.NetworkManager.DnsManager"
# Whoever of them is there asks; each writes the value in quotation marks.
_ASKING: Final = (
    ("busctl", "get-property", _NAME, _OBJECT, _INTERFACE, "Mode"),
    (
        *("dbus-send", "--system", "--print-reply=literal", f"--dest={_NAME}", _OBJECT),
        *("org.freedesktop.DBus.Properties.Get", f"string:{_INTERFACE}", "string:Mode"),
    ),
)
_DNSMASQ: Final = "dnsmasq"
_ASK_S: Final = 5.0


class Backend(NamedTuple):
    """What makes the plan, or why there is none."""

    plan: Callable[[Target], Plan] | None
    why: str = ""


def found() -> Backend:
    """What there is on this machine."""
    if sys.platform == "darwin":
        return Backend(plans.macos)
    mode = _mode()
    if mode == _DNSMASQ:
        return Backend(plans.networkmanager)
    if not RESOLVED.is_dir():
        also = f", and NetworkManager leaves names to others (Mode {mode})" if mode else ""
        return Backend(None, f"systemd-resolved isn't at work{also}")
    missing = [each for each in ("ip", "resolvectl") if shutil.which(each) is None]
    return Backend(None, f"found no {' and no '.join(missing)}") if missing else Backend(plans.resolved)


def _mode() -> str:
    """What NetworkManager says it does; nothing where it isn't at work."""
    if shutil.which("nmcli") is None:
        return ""
    for command in _ASKING:
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_S, check=False)  # noqa: S603 - ours
        except (OSError, subprocess.TimeoutExpired):
            continue
        words = done.stdout.replace('"', " ").split()
        if not done.returncode and words:
            return words[-1]
    return ""
