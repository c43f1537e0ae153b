"""The command explain: a name in, why it is answered as it is out.

Status 0 where there is an answer, 1 where there is nothing, 2 where it can't be told: the source can't be read, or the name is
not the cluster's. What explains is imported last, so that help is quick.
"""

import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

if TYPE_CHECKING:
    from kdns.cli.looking import Asked
    from kdns.config.serving import Serving
    from kdns.explain.explanation import Explanation

_UNKNOWN: Final = 2
_SERVER: Final = "127.0.0.1:8181"
_READY_PORT: Final = 8181
_NAMESPACE: Final = "default"


class _Given(NamedTuple):
    """The command line."""

    name: str
    whose: str
    rtype: str
    output: str
    server: str | None
    kubeconfig: str | None
    context: str | None
    manifests: tuple[str, ...]
    zone: str | None
    pods: Any
    conf: str | None


@click.command(no_args_is_help=False)
@click.option("--from", "whose", metavar="NS[/POD]", default=_NAMESPACE, help="Who asks.  [a pod in default]")
@click.option(
    "--type", "rtype", metavar="TYPE", default="", help="A, SRV, PTR, …  [as programs ask: A and AAAA, or SRV, PTR]"
)
@click.option(
    "-o", "output", type=click.Choice(("text", "json", "yaml")), default="text", help="How it is told.  [text]"
)
@click.option("--server", metavar="ADDR[:PORT]", help=f"A running server's address of /ready.  [{_SERVER}]")
@click.option("--kubeconfig", metavar="FILE", help="Look at the cluster of this kubeconfig.")
@click.option("--context", metavar="NAME", help="Its context, if not the current one.")
@click.option("--manifests", metavar="PATH", multiple=True, help="Look at YAML: a file, a folder or - (repeatable).")
@click.option("--zone", metavar="ZONE", help="The cluster's zone.  [cluster.local]")
@click.option("--pods", type=click.Choice(("disabled", "insecure", "verified")), help="Names of pods.  [insecure]")
@click.option("-conf", "--conf", metavar="FILE", help="A Corefile whose kubernetes says how names are answered.")
@click.argument("name", metavar="NAME")
def explain(**given: Any) -> int:
    """Tell why a name is answered as it is.

    NAME is looked for as a pod does, along its search path; with a final dot it is asked for as it is. An address is its
    reverse name. Status 0: answered, 1: there is nothing, 2: it can't be told.
    """
    asked = _Given(**given)
    import asyncio  # noqa: PLC0415 - help is quicker without

    from kdns.config.settings import SettingsError  # noqa: PLC0415
    from kdns.explain.path import QuestionError  # noqa: PLC0415
    from kdns.ops import logs  # noqa: PLC0415
    from kdns.sources.errors import SourceError  # noqa: PLC0415

    logs.configure("error", "explain")
    try:
        told = asyncio.run(_explained(asked))
    except (SettingsError, QuestionError) as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        sys.stderr.write(f"kdns: {error}\n")
        return _UNKNOWN
    sys.stdout.write(_shown(told, asked.output))
    return told.status


def _shown(told: "Explanation", output: str) -> str:
    from kdns.explain import telling  # noqa: PLC0415

    if output == "json":
        return telling.as_json(told)
    if output == "yaml":
        return telling.as_yaml(told)
    return telling.as_text(told, colour=sys.stdout.isatty())


async def _explained(given: _Given) -> "Explanation":
    """The explanation. Raises SettingsError, QuestionError and SourceError."""
    from kdns.cli import looking  # noqa: PLC0415
    from kdns.config import flags  # noqa: PLC0415
    from kdns.config.settings import ClusterSource, SettingsError  # noqa: PLC0415

    asked = _asked(given)
    of_kubeconfig = given.kubeconfig is not None or given.context is not None
    if given.server is not None and given.manifests:
        raise SettingsError("--server: found it beside --manifests, expected one of them")
    if given.server is not None or not (of_kubeconfig or given.manifests):
        for flag, value in (("--zone", given.zone), ("--pods", given.pods), ("-conf", given.conf)):
            if value is not None and not (flag == "--zone" and of_kubeconfig):
                raise SettingsError(
                    f"{flag}: found it for a running server, which has its own, expected --kubeconfig or --manifests"
                )
        address = flags.address(given.server or _SERVER, "--server", _READY_PORT)
        source = ClusterSource(given.kubeconfig, given.context) if of_kubeconfig else None
        return await looking.of_server(asked, address, source)
    return await looking.of_cluster(asked, _settings(given))


def _asked(given: _Given) -> "Asked":
    from kdns.cli.looking import Asked  # noqa: PLC0415
    from kdns.config import flags  # noqa: PLC0415
    from kdns.config.settings import SettingsError  # noqa: PLC0415

    namespace, slash, pod = given.whose.partition("/")
    if not namespace or (slash and not pod) or "/" in pod:
        raise SettingsError(f'--from: found "{given.whose}", expected NAMESPACE or NAMESPACE/POD')
    return Asked(given.name, given.rtype, namespace, pod, (given.zone or flags.ZONE).rstrip("."))


def _settings(given: _Given) -> "Serving":
    """How the cluster's names are answered: as kdns serve has it with these flags. Raises SettingsError."""
    from kdns.cli.surroundings import surroundings  # noqa: PLC0415
    from kdns.config import flags  # noqa: PLC0415
    from kdns.config.settings import SettingsError  # noqa: PLC0415

    asked = flags.Flags(
        conf=given.conf,
        kubeconfig=given.kubeconfig,
        context=given.context,
        manifests=given.manifests,
        zone=given.zone,
        pods=given.pods,
        workers="1",
    )
    if given.conf is None:
        return flags.serving(asked, surroundings())[0]
    from kdns.cli import corefiles  # noqa: PLC0415

    flags.check_combination(asked)
    corefile = corefiles.Corefile(asked, surroundings())
    found = corefile.read()
    if found.servers is None:
        raise SettingsError(found.lines[0])
    return corefile.settings(found.servers)
