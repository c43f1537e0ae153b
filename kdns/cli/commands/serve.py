"""The command serve."""

import sys
from typing import Any

import click

from kdns import __version__
from kdns.cli.declaring import ADDRESS, FILE, FOLDER, PORT, Command, kubeconfig, manifests
from kdns.config import defaults


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """What `kdns plugins` prints, where CoreDNS' flag asks for it."""
    if asked:
        from kdns.config import manual

        sys.stdout.write(manual.overview())
        context.exit()


@click.command(
    cls=Command,
    no_args_is_help=False,
    statuses={
        "0": "told to stop by SIGTERM, SIGINT or SIGQUIT",
        "1": "it can't serve: a port is taken, or a manifest, kubeconfig or Corefile can't be read at the start",
        "2": "wrong flags; a second SIGINT",
    },
    examples=(
        "kdns serve --manifests examples --listen 127.0.0.1:1053",
        "kdns serve -conf Corefile --kubeconfig ~/.kube/config",
    ),
)
@kubeconfig("Serve the cluster of this kubeconfig.")
@manifests(said="Serve YAML")
@click.option("--zone", metavar="ZONE", help=f"The cluster's zone.  [{defaults.ZONE}]")
@click.option("--listen", metavar=ADDRESS, multiple=True, help="Where to answer (repeatable).  [all addresses]")
@click.option("-p", "-dns.port", "--dns.port", "port", metavar="PORT", type=PORT, help="The port of --listen.  [53]")
@click.option("--upstream", metavar="ADDR[:PORT]", multiple=True, help="Who knows other names.  [/etc/resolv.conf]")
@click.option("--pods", type=click.Choice(defaults.PODS), help=f"Names of pods.  [{defaults.PODS_DEFAULT}]")
@click.option("--ttl", metavar="SECONDS", type=int, help=f"Of the cluster's records.  [{defaults.TTL_S}]")
@click.option("--workers", metavar="auto|N", default="auto", help="Processes that answer.  [auto]")
@click.option("--health", metavar=ADDRESS, help=f"Where /health is.  [:{defaults.HEALTH_PORT}]")
@click.option("--ready", metavar=ADDRESS, help=f"Where /ready is.  [:{defaults.READY_PORT}]")
@click.option("--metrics", metavar=ADDRESS, help=f"Where /metrics is.  [:{defaults.METRICS_PORT}]")
@click.option(
    *("--audit-interval",),
    metavar="SECONDS",
    type=int,
    help=f"Between two audits; 0 for none.  [{defaults.AUDIT_S:.0f}]",
)
@click.option("--ready-max-staleness", metavar="SECONDS", type=int, help="Longer unproven fresh, /ready is 503.  [off]")
@click.option(
    *("--snapshot",),
    metavar="DIR",
    type=FOLDER,
    help=f"Where what was last known is kept.  [in a pod {defaults.STATE_FOLDER}]",
)
@click.option(
    *("--snapshot-ready",),
    type=click.Choice((defaults.YES, defaults.NO)),
    default=defaults.YES,
    help="Whether it is ready by that.  [yes]",
)
@click.option("--log-level", type=click.Choice(defaults.LEVELS), default="info", help="How much is logged.  [info]")
@click.option(
    "-pidfile", "--pidfile", metavar="FILE", type=FILE, help="Write the process id there; the file goes at the end."
)
@click.option("-quiet", "--quiet", is_flag=True, help="Say nothing of the start but what is wrong.")
@click.option(
    *("-plugins", "--plugins"), is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List directives."
)
@click.version_option(
    __version__, "-version", "--version", prog_name="kdns", message="%(prog)s %(version)s", help="Say which this is."
)
@click.option(
    "-conf", "--conf", metavar="FILE", type=FILE, help="What is served, and how, by a Corefile; stdin reads one."
)
def serve(**given: Any) -> int:
    """Answer the cluster's names.

    The cluster is that of --kubeconfig, or YAML named by --manifests. Without either it is, in a pod,
    the pod's own, and elsewhere that of KUBECONFIG. A port 0 takes a free one.
    """
    from kdns.cli.serve import serve
    from kdns.config.flags import Flags

    return serve(Flags(**given))
