"""The command dev: a cluster's names on one's own machine, for a person or for one command.

Reads flags and says what is wrong with them. How a command is given a name server is kdns.dev's to say.
"""

import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import click

from kdns.cli import devpaths, devserving
from kdns.cli.devpaths import Looks
from kdns.cli.surroundings import keep_standard_input
from kdns.config import flags
from kdns.config.flags import Flags
from kdns.config.serving import Serving
from kdns.config.settings import Address, SettingsError
from kdns.dev import doctor, journal, plans
from kdns.dev.command import NAMESERVER, CommandError, Told, run
from kdns.dev.guard import sounding_like_production
from kdns.dev.network import Network

# Not mDNS' 5353; loopback alone, so that nobody else is answered.
LISTEN: Final = "127.0.0.1:5354"
_KUBECONFIG: Final = "~/.kube/config"
_STDIN: Final = "-"
_FAILURE: Final = 1


@dataclass(frozen=True, slots=True)
class _Asked:
    """The flags as they were given."""

    manifests: tuple[str, ...]
    kubeconfig: str | None
    context: str | None
    yes: bool
    zone: str | None
    namespace: str | None
    whose: str | None
    mapped: tuple[str, ...]
    listen: str | None
    upstream: tuple[str, ...]
    split_dns: bool
    undo: bool
    status: bool
    log_level: str
    command: tuple[str, ...]


class _Command(click.Command):
    """The command, with the word status for its flag."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--status", *args[1:]] if args[:1] == ["status"] else args)


@click.command(cls=_Command, context_settings={"allow_interspersed_args": False})
@click.option("-f", "--manifests", metavar="PATH", multiple=True, help="YAML: a file, a folder or - (repeatable).")
@click.option("--kubeconfig", metavar="FILE", help=f"The cluster of this kubeconfig.  [KUBECONFIG, {_KUBECONFIG}]")
@click.option("--context", metavar="NAME", help="Its context, if not the current one.")
@click.option("--yes", is_flag=True, help="Even if the context sounds like production.")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{flags.ZONE}]")
@click.option("--search", "namespace", metavar="NS", help="Short names as in this namespace.  [the context's]")
@click.option("--from", "whose", metavar="NS/POD", help="Names as in this pod, by its search path.")
@click.option("--map", "mapped", metavar="SVC.NS=ADDR", multiple=True, help="A Service is there (repeatable).")
@click.option("--listen", metavar="ADDR:PORT", help=f"Where to answer; without COMMAND.  [{LISTEN}]")
@click.option("--upstream", metavar="ADDR[:PORT]", multiple=True, help="Who knows other names.  [/etc/resolv.conf]")
@click.option("--split-dns", is_flag=True, help="Have this machine ask kdns for the zone; asks for root's rights.")
@click.option("--undo", is_flag=True, help="Take back what a killed kdns dev has left, and end.")
@click.option("--status", is_flag=True, help="Say what of this machine is changed, and end; also: kdns dev status.")
@click.option("--log-level", type=click.Choice(flags.LEVELS), default="warning", help="How much is logged.  [warning]")
@click.argument("command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def dev(**given: Any) -> int:
    """Answer a cluster's names on your own machine.

    The cluster is YAML, named by -f, or else the one that kubectl talks to. Changes take effect at once. Without
    COMMAND kdns answers on a port of 127.0.0.1 until it is ended. With it the command runs, and it alone, with kdns for its
    name server; its exit status is passed on. Neither needs root, nor is anything of the machine changed but by --split-dns.
    """
    asked = _Asked(**given)
    if asked.undo or asked.status:
        return _looked_back(undo=asked.undo)
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
    from kdns.sources.errors import SourceError  # noqa: PLC0415 - it reads YAML

    try:
        settings = devserving.serving(_flags(asked), asked.mapped)
        return _answer(asked, settings)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        return _fail(str(error))


def _answer(asked: _Asked, settings: Serving) -> int:
    """Answers by the settings, as asked for. Raises SettingsError and SourceError."""
    namespace = asked.namespace
    if not asked.manifests:
        namespace = _cluster(asked, namespace)
        if namespace is None:
            return _FAILURE
    if _STDIN in asked.manifests:
        keep_standard_input()
    looks = _looks(asked, settings, namespace)
    if asked.command:
        return _run(asked.command, looks.told, settings)
    settings = devserving.completing(settings, looks.clients)
    return _split(looks, settings) if asked.split_dns else _serve(settings)


def _cluster(asked: _Asked, namespace: str | None) -> str | None:
    """Says which cluster it is; the namespace that short names are of, None where it isn't to be served."""
    from kdns.sources.api import kubeconfig  # noqa: PLC0415 - as above

    found = kubeconfig.described(kubeconfig.locate(asked.kubeconfig, os.environ), asked.context)
    namespace = found.namespace if namespace is None else namespace
    where = "" if asked.command else f", on {asked.listen or LISTEN}"
    sys.stderr.write(
        f"kdns dev: context {found.context}, cluster {found.cluster} ({found.server}), namespace {namespace}{where}\n"
    )
    name = sounding_like_production((found.context, found.cluster, found.server.partition("://")[2]))
    if name is not None and not asked.yes:
        _fail(f"{name} sounds like production; nothing was done. kdns dev only reads of it: --yes goes on")
        return None
    return namespace


def _looks(asked: _Asked, settings: Serving, namespace: str | None) -> Looks:
    """As whom names are looked for. Raises SettingsError and SourceError."""
    zone = (asked.zone or flags.ZONE).lower().rstrip(".")
    if asked.whose is not None:
        return devpaths.of_pod(zone, asked.whose, settings.source)
    return devpaths.of_machine(zone) if namespace is None else devpaths.of_namespace(zone, namespace)


def _flags(asked: _Asked) -> Flags:
    kubeconfig = asked.kubeconfig or os.environ.get("KUBECONFIG") or _KUBECONFIG
    return Flags(
        manifests=asked.manifests,
        kubeconfig=asked.kubeconfig if asked.manifests else kubeconfig,
        context=asked.context,
        zone=asked.zone,
        listen=(str(Address(*NAMESERVER)) if asked.command else asked.listen or LISTEN,),
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
        return run(command, told, partial(_serve, settings))
    except CommandError as error:
        return _fail(str(error), error.status)


def _split(looks: Looks, settings: Serving) -> int:
    from kdns.dev import split  # noqa: PLC0415 - seldom asked for

    server = settings.servers.listeners[0].address
    zone = looks.told.zone
    plan = _plan(zone, server)
    if plan is None:
        advice = plans.advice(zone, server.host, server.port)
        return _fail(f"found neither systemd-resolved nor macOS, expected one of them; by hand:\n{advice.rstrip()}")
    probe = f"kubernetes.default.svc.{zone}"
    wanted = split.Wanted(plan, zone, (server.host, server.port), probe, journal.place(os.environ), os.getpid())
    try:
        return split.run(wanted, partial(_serve, settings))
    except split.SplitError as error:
        return _fail(str(error))


def _plan(zone: str, server: Address) -> plans.Plan | None:
    """What fits this machine."""
    if sys.platform == "darwin":
        return plans.macos(zone, server.host, server.port)
    return None if doctor.split_dns() else plans.resolved(zone, server.host, server.port)


def _looked_back(*, undo: bool) -> int:
    from kdns.dev import split  # noqa: PLC0415 - as above

    path = journal.place(os.environ)
    try:
        if undo:
            sys.stdout.write("taken back\n" if split.repair(path) else "nothing was left\n")
        else:
            sys.stdout.write("".join(f"{line}\n" for line in split.status(path)))
    except split.SplitError as error:
        return _fail(str(error))
    return 0


def _fail(message: str, status: int = _FAILURE) -> int:
    sys.stderr.write(f"kdns: {message}\n")
    return status
