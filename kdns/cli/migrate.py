"""Migrating: what of a cluster's CoreDNS goes on under kdns, line by line and part by part, and how to go over and back.

Reads and changes nothing.
"""

import asyncio
import os
import posixpath
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final
from urllib.parse import quote

import click

from kdns.cli import listed, results
from kdns.cli.progress import progress
from kdns.config import check
from kdns.config.check import Checked
from kdns.config.disk import Disk
from kdns.config.imports import Files
from kdns.config.served import unserved
from kdns.config.serving import Block
from kdns.config.settings import ClusterSource, SettingsError
from kdns.migration import report, tree
from kdns.migration.checks import Subject, findings
from kdns.migration.finding import Finding
from kdns.migration.installed import COREFILE, TARGETS, Installed, Workload
from kdns.migration.lines import lines_of
from kdns.migration.mounted import Mounted
from kdns.migration.report import Told
from kdns.sources import documents
from kdns.sources.api import once
from kdns.sources.errors import SourceError

_UNREAD: Final = 2
_STDIN: Final = "-"
_PORT: Final = 53


def migrate(
    *,
    file: str | None,
    output: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str,
    configmap: str,
    flags: Collection[str],
) -> int:
    """Tells what goes on, with these flags of kdns serve; the exit status. Raises click.UsageError."""
    try:
        installed = None if file and not (kubeconfig or context) else _installed(kubeconfig, context, namespace)
        told = _told(file, installed, configmap, flags)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        sys.stderr.write(f"kdns: {error}\n")
        return _UNREAD
    results.show(output, partial(report.described, told), partial(report.as_text, told))
    return told.status


def _installed(kubeconfig: str | None, context: str | None, namespace: str) -> Installed:
    """What the cluster has. Raises SourceError, SettingsError."""
    source = listed.source_of(kubeconfig, context, ())
    assert isinstance(source, ClusterSource)
    targets = {name: target.format(quote(namespace, safe="")) for name, target in TARGETS.items()}
    with progress("looking at the cluster"):
        return Installed(namespace, asyncio.run(once.lists(source, targets)))


def _told(file: str | None, installed: Installed | None, configmap: str, flags: Collection[str]) -> Told:
    workload = None if installed is None else installed.workload(configmap)
    if file is None:
        assert installed is not None
        checked = _of_config_map(installed, workload, configmap)
    else:
        checked = _of_file(file)
    lines = tuple(lines_of(checked))
    if installed is None:
        return Told(
            lines, (), None, "the Corefile is a file's; --kubeconfig or --context has the cluster looked at, too"
        )
    if workload is None:
        why = _unread(installed) or f"found nothing that mounts the ConfigMap {installed.namespace}/{configmap}"
        return Told(lines, (), None, why)
    where = f"{workload.kind.lower()}/{workload.name}"
    container = tree.text(workload.container, "name")
    return Told(
        lines, _findings(installed, workload, checked, flags), report.commands(installed.namespace, where, container)
    )


def _unread(installed: Installed) -> str:
    """Why what serves can't be seen; empty if it can."""
    return next((why for each in ("deployments", "daemonsets") if isinstance(why := installed.lists[each], str)), "")


def _of_file(file: str) -> Checked:
    """Raises SourceError."""
    try:
        with open(0 if file == _STDIN else file, "rb", closefd=file != _STDIN) as given:
            octets = given.read()
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror or error}, expected a Corefile") from error
    return _checked(octets, "stdin" if file == _STDIN else file, Disk(), os.environ)


def _of_config_map(installed: Installed, workload: Workload | None, configmap: str) -> Checked:
    """Raises SourceError where there is no Corefile."""
    where = f"ConfigMap {installed.namespace}/{configmap}"
    if isinstance(why := installed.lists["configmaps"], str):
        raise SourceError(f"{where} can't be read: {why}")
    found = installed.config_map(configmap)
    if found is None or not tree.text(found, "data", COREFILE):
        others = [tree.name(each) for each in installed.all("configmaps") if tree.text(each, "data", COREFILE)]
        hint = f"; --configmap names another: {', '.join(others)}" if others else "; -n names another namespace"
        raise SourceError(f"{where}: found no {COREFILE} in it{hint}")
    path = workload.conf if workload else f"/etc/coredns/{COREFILE}"
    files = Mounted(installed.files(workload, configmap), posixpath.dirname(path))
    environment = {
        tree.text(each, "name"): tree.text(each, "value")
        for each in (tree.items(workload.container, "env") if workload else ())
    }
    return _checked(tree.text(found, "data", COREFILE).encode(), path, files, environment)


def _checked(octets: bytes, file: str, files: Files, environment: Mapping[str, str]) -> Checked:
    """What the check says where kdns will run: other files and interfaces than those of this machine."""
    there: Callable[[str], Sequence[str]] = lambda interface: (interface,)  # noqa: E731 - an argument with a type
    machine = check.Machine(
        files, environment, _PORT, lambda _: "", there, lambda settings: not unserved(Block((), (settings,)))
    )
    return check.check(octets, file, machine)


def _findings(
    installed: Installed, workload: Workload, checked: Checked, flags: Collection[str]
) -> tuple[Finding, ...]:
    listeners = [label for block in checked.blocks for label in block.listeners]
    subject = Subject(
        installed,
        workload,
        flags,
        frozenset(each.name for block in checked.blocks for each in block.directives),
        tuple(sorted({int(label.rpartition(":")[2]) for label in listeners})),
        _cluster_dns(installed),
    )
    return tuple(findings(subject))


def _cluster_dns(installed: Installed) -> Sequence[str] | None:
    """What kubelets tell pods, as kubeadm keeps it; None where it doesn't."""
    text = tree.text(installed.config_map("kubelet-config"), "data", "kubelet")
    if not text:
        return None
    try:
        read = documents.read(text.encode(), "ConfigMap kubelet-config")
    except SourceError:
        return None  # the kubelets' own business
    return tree.texts(read[0].value, "clusterDNS") if read else None


__all__ = ["migrate"]
