"""The command dev: a cluster's names on one's own machine, for a person or for one command.

Reads flags and says what is wrong with them. How a command is given a name server is kdns.dev's to say.
"""

import os
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import click

from kdns.cli import devpaths, devserving, results
from kdns.cli.declaring import TEXT
from kdns.cli.devpaths import Looks
from kdns.cli.progress import progress
from kdns.cli.surroundings import keep_standard_input
from kdns.config.defaults import DEV_LISTEN, KUBECONFIG, ZONE
from kdns.config.flags import Flags
from kdns.config.serving import Serving
from kdns.config.settings import Address, ClusterSource, SettingsError
from kdns.dev import journal, showing
from kdns.dev.command import NAMESERVER, CommandError, Told, run
from kdns.dev.guard import sounding_like_production
from kdns.dev.network import Network

_STDIN: Final = "-"
_FAILURE: Final = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags as they were given."""

    manifests: tuple[str, ...]
    kubeconfig: str | None
    context: str | None
    yes: bool
    zone: str | None
    namespace: str | None
    whose: str | None
    mapped: tuple[str, ...]
    forward: bool
    listen: str | None
    upstream: tuple[str, ...]
    split_dns: bool | None
    undo: bool
    status: bool
    output: str
    log_level: str
    command: tuple[str, ...]


def dev(asked: Asked) -> int:
    """Answers until it is ended, or runs the command; the exit status. Raises click.UsageError."""
    if asked.undo or asked.status:
        return _looked_back(asked)
    if asked.output != TEXT:
        raise click.UsageError("-o: found it without status, expected kdns dev status, which it is for")
    if asked.command and asked.split_dns:
        raise click.UsageError(
            "--split-dns: found it beside a command, which has a name server of its own; take it out"
        )
    if asked.command and asked.listen is not None:
        raise click.UsageError("--listen: found it beside a command, which has a name server of its own; take it out")
    if asked.namespace is not None and asked.whose is not None:
        raise click.UsageError("--search: found it beside --from, expected one of them")
    if asked.manifests and asked.yes:
        raise click.UsageError("--yes: found it beside -f, expected it for a cluster with an API server")
    if asked.manifests and asked.forward:
        raise click.UsageError("--forward: found it beside -f, expected it for a cluster with an API server")
    from kdns.sources.errors import SourceError  # noqa: PLC0415 - it reads YAML

    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) if asked.forward else None
    try:
        settings = devserving.serving(_flags(asked), asked.mapped, None if ends is None else ends[0].fileno())
        return _answer(asked, settings, ends[1] if ends else None)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        return _fail(str(error))


def _answer(asked: Asked, settings: Serving, forwarder: socket.socket | None) -> int:
    """Answers by the settings, as asked for; a forwarder's end is for who listens. Raises SettingsError and SourceError."""
    namespace = asked.namespace
    if not asked.manifests:
        namespace = _cluster(asked, namespace)
        if namespace is None:
            return _FAILURE
    if _STDIN in asked.manifests:
        keep_standard_input()
    looks = _looks(asked, settings, namespace)
    ways = partial(_ways, settings, forwarder)
    if asked.command:
        with ways():
            return _run(asked.command, looks.told, settings)
    return _serve_all(asked, looks, devserving.told_of(devserving.completing(settings, looks.clients)), ways)


def _ways(settings: Serving, forwarder: socket.socket | None) -> AbstractContextManager[None]:
    """Meanwhile Services can be reached, if that is wanted."""
    if forwarder is None or not isinstance(settings.source, ClusterSource):
        return nullcontext()
    from kdns.cli import devforward  # noqa: PLC0415 - seldom asked for

    return devforward.forwarding(forwarder, settings.source)


def _cluster(asked: Asked, namespace: str | None) -> str | None:
    """Says which cluster it is; the namespace that short names are of, None where it isn't to be served."""
    from kdns.sources.api import kubeconfig  # noqa: PLC0415 - as above

    found = kubeconfig.described(kubeconfig.locate(asked.kubeconfig, os.environ), asked.context)
    namespace = found.namespace if namespace is None else namespace
    where = "" if asked.command else f", on {asked.listen or DEV_LISTEN}"
    sys.stderr.write(
        f"kdns dev: context {found.context}, cluster {found.cluster} ({found.server}), namespace {namespace}{where}\n"
    )
    name = sounding_like_production((found.context, found.cluster, found.server.partition("://")[2]))
    if name is not None and not asked.yes:
        _fail(f"{name} sounds like production; nothing was done. kdns dev only reads of it: --yes goes on")
        return None
    return namespace


def _looks(asked: Asked, settings: Serving, namespace: str | None) -> Looks:
    """As whom names are looked for. Raises SettingsError and SourceError."""
    zone = (asked.zone or ZONE).lower().rstrip(".")
    if asked.whose is not None:
        return devpaths.of_pod(zone, asked.whose, settings.source)
    return devpaths.of_machine(zone) if namespace is None else devpaths.of_namespace(zone, namespace)


def _flags(asked: Asked) -> Flags:
    kubeconfig = asked.kubeconfig or os.environ.get("KUBECONFIG") or KUBECONFIG
    return Flags(
        manifests=asked.manifests,
        kubeconfig=asked.kubeconfig if asked.manifests else kubeconfig,
        context=asked.context,
        zone=asked.zone,
        listen=(str(Address(*NAMESERVER)) if asked.command else asked.listen or DEV_LISTEN,),
        upstream=asked.upstream,
        log_level=asked.log_level,
        quiet=bool(asked.command),
        workers="1",
    )


def _serve(settings: Serving, network: Network | None = None) -> int:
    from kdns import app  # noqa: PLC0415 - all that serves comes with it

    try:
        return app.serve(settings) if network is None else app.serve(settings, within=network.do)
    except SettingsError as error:
        return _fail(str(error))


def _run(command: tuple[str, ...], told: Told, settings: Serving) -> int:
    try:
        return run(command, told, partial(_serve, settings), waiting=partial(progress, "kdns begins to answer"))
    except CommandError as error:
        return _fail(str(error), error.status)


def _serve_all(asked: Asked, looks: Looks, settings: Serving, ways: Callable[[], AbstractContextManager[None]]) -> int:
    """Serves whoever asks, this machine's programs among them if that is wanted."""
    from kdns.cli import devsplit  # noqa: PLC0415 - as above
    from kdns.dev.split import SplitError  # noqa: PLC0415 - as above

    server = settings.servers.listeners[0].address
    try:
        plan = devsplit.wanted(asked.split_dns, looks, server)
        if plan is None:
            devsplit.tell_of_what_is_left()
        with showing.shown("reading the manifests" if asked.manifests else "reading the cluster"), ways():
            serve = partial(_serve, settings)
            return serve() if plan is None else devsplit.run(plan, looks.told.zone, server, serve)
    except SplitError as error:
        return _fail(str(error))


def _looked_back(asked: Asked) -> int:
    from kdns.dev import split  # noqa: PLC0415 - as above

    path = journal.place(os.environ)
    try:
        told = _taken_back(path) if asked.undo else split.status(path)
    except split.SplitError as error:
        return _fail(str(error))
    results.show(asked.output, lambda: {"machine": told}, lambda: "".join(f"{line}\n" for line in told))
    return 0


def _taken_back(path: Path) -> tuple[str, ...]:
    from kdns.dev import split  # noqa: PLC0415 - as above

    return ("taken back" if split.repair(path) else "nothing was left",)


def _fail(message: str, status: int = _FAILURE) -> int:
    sys.stderr.write(f"kdns: {message}\n")
    return status
