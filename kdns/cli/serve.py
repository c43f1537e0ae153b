"""The command serve: flags in, a running server out.

What the flags mean is config.flags' to say. What serves is imported last, so that a wrong flag is told at once.
"""

import sys
from typing import Any, Final

import click

from kdns import __version__
from kdns.cli.surroundings import keep_standard_input, surroundings
from kdns.config import flags
from kdns.config.flags import Flags
from kdns.config.settings import AUDIT_S, STATE_FOLDER, ManifestSource, SettingsError

_FAILURE: Final = 1
_STDIN: Final = "-"  # of manifests
_COREFILE_STDIN: Final = "stdin"  # as CoreDNS calls it

_ADDRESS: Final = "ADDR:PORT"
_PORT: Final = click.IntRange(0, 65535)


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """What `kdns plugins` prints, where CoreDNS' flag asks for it."""
    if asked:
        from kdns.config import manual  # noqa: PLC0415 - help is quicker without

        sys.stdout.write(manual.overview())
        context.exit()


@click.command(no_args_is_help=False)
@click.option("--kubeconfig", metavar="FILE", help="Serve the cluster of this kubeconfig.")
@click.option("--context", metavar="NAME", help="Its context, if not the current one.")
@click.option("--manifests", metavar="PATH", multiple=True, help="Serve YAML: a file, a folder or - (repeatable).")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{flags.ZONE}]")
@click.option("--listen", metavar=_ADDRESS, multiple=True, help="Where to answer (repeatable).  [all addresses]")
@click.option("-p", "-dns.port", "--dns.port", "port", metavar="PORT", type=_PORT, help="The port of --listen.  [53]")
@click.option("--upstream", metavar="ADDR[:PORT]", multiple=True, help="Who knows other names.  [/etc/resolv.conf]")
@click.option("--pods", type=click.Choice(flags.PODS), help=f"Names of pods.  [{flags.PODS_DEFAULT}]")
@click.option("--ttl", metavar="SECONDS", type=int, help=f"Of the cluster's records.  [{flags.TTL_S}]")
@click.option("--workers", metavar="auto|N", default="auto", help="Processes that answer.  [auto]")
@click.option("--health", metavar=_ADDRESS, help=f"Where /health is.  [:{flags.HEALTH_PORT}]")
@click.option("--ready", metavar=_ADDRESS, help=f"Where /ready is.  [:{flags.READY_PORT}]")
@click.option("--metrics", metavar=_ADDRESS, help=f"Where /metrics is.  [:{flags.METRICS_PORT}]")
@click.option("--audit-interval", metavar="SECONDS", type=int, help=f"Between two audits; 0 for none.  [{AUDIT_S:.0f}]")
@click.option("--ready-max-staleness", metavar="SECONDS", type=int, help="Longer unproven fresh, /ready is 503.  [off]")
@click.option("--snapshot", metavar="DIR", help=f"Where what was last known is kept.  [in a pod {STATE_FOLDER}]")
@click.option(
    "--snapshot-ready",
    type=click.Choice((flags.YES, flags.NO)),
    default=flags.YES,
    help="Whether it is ready by that.  [yes]",
)
@click.option("--log-level", type=click.Choice(flags.LEVELS), default="info", help="How much is logged.  [info]")
@click.option("-pidfile", "--pidfile", metavar="FILE", help="Write the process id there; the file goes at the end.")
@click.option("-quiet", "--quiet", is_flag=True, help="Say nothing of the start but what is wrong.")
@click.option(
    *("-plugins", "--plugins"), is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List directives."
)
@click.version_option(
    __version__, "-version", "--version", prog_name="kdns", message="%(prog)s %(version)s", help="Say which this is."
)
@click.option("-conf", "--conf", metavar="FILE", help="What is served, and how, by a Corefile; stdin reads one.")
def serve(**given: Any) -> int:
    """Answer the cluster's names.

    The cluster is that of --kubeconfig, or YAML named by --manifests. Without either it is, in a pod,
    the pod's own, and elsewhere that of KUBECONFIG. A port 0 takes a free one.
    """
    asked, corefile = Flags(**given), None
    try:
        if asked.conf is not None:
            flags.check_combination(asked)
            from kdns.cli import corefiles  # noqa: PLC0415 - help is quicker without

            corefile = corefiles.Corefile(asked, surroundings())
            try:
                found = corefile.read()
            except corefiles.UnreadableError as error:
                return _fail(str(error))
            sys.stderr.write(found.problems)
            if found.servers is None:
                return _FAILURE
            settings = corefile.settings(found.servers)
        else:
            settings, warnings = flags.serving(asked, surroundings())
            for warning in warnings:
                sys.stderr.write(f"kdns: warning: {warning}\n")
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    if isinstance(settings.source, ManifestSource) and _STDIN in settings.source.paths:
        keep_standard_input()
    from kdns import app  # noqa: PLC0415 - all that serves comes with it

    try:
        return app.serve(settings, corefile if asked.conf != _COREFILE_STDIN else None)
    except SettingsError as error:
        return _fail(str(error))


def _fail(message: str) -> int:
    sys.stderr.write(f"kdns: {message}\n")
    return _FAILURE
