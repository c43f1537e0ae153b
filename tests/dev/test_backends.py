"""Which plan a machine gets, by what NetworkManager says over D-Bus, played here by a busctl of our own."""

import sys
from pathlib import Path

import pytest

from kdns.dev import backends, plans

ASKED = (
    "get-property org.freedesktop.NetworkManager /org/freedesktop/NetworkManager/DnsManager"
    " org.freedesktop.NetworkManager.DnsManager Mode"
)


class Machine:
    """One with so many programs, and systemd-resolved or not."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.setattr(backends, "RESOLVED", folder / "resolve")

    def has(self, *names: str, says: str = "") -> None:
        for name in names:
            (self.folder / name).write_text(f"#!/bin/sh\n{says or 'exit 1'}\n")
            (self.folder / name).chmod(0o755)

    def has_resolved(self) -> None:
        (self.folder / "resolve").mkdir()
        self.has("ip", "resolvectl")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_networkmanager_with_dnsmasq_goes_before_resolved(machine: Machine) -> None:
    machine.has("nmcli")
    machine.has("busctl", says=f"""test "$*" = "{ASKED}" && echo 's "dnsmasq"'""")
    machine.has_resolved()
    assert backends.found() == (plans.networkmanager, "")


def test_without_busctl_dbus_send_asks(machine: Machine) -> None:
    machine.has("nmcli")
    machine.has("dbus-send", says="echo '   variant       dnsmasq'")
    assert backends.found() == (plans.networkmanager, "")


@pytest.mark.parametrize("says", ["echo 's \"systemd-resolved\"'", "exit 1", "true"])
def test_what_networkmanager_leaves_to_resolved_is_resolveds(says: str, machine: Machine) -> None:
    machine.has("nmcli")
    machine.has("busctl", says=says)
    machine.has_resolved()
    assert backends.found() == (plans.resolved, "")


def test_networkmanager_without_a_resolver_of_its_own_is_named(machine: Machine) -> None:
    machine.has("nmcli")
    machine.has("busctl", says="echo 's \"default\"'")
    assert backends.found().why == (
        "systemd-resolved isn't at work, and NetworkManager leaves names to others (Mode default)"
    )


def test_without_any_of_them_it_is_said_what_is_missing(machine: Machine) -> None:
    assert backends.found() == (None, "systemd-resolved isn't at work")
    (machine.folder / "resolve").mkdir()
    assert backends.found().why == "found no ip and no resolvectl"


def test_a_mac_needs_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert backends.found() == (plans.macos, "")
    assert not list(machine.folder.iterdir())
