"""Explaining: a name in, why it is answered as it is out."""

import asyncio
import os
import sys
from functools import partial
from typing import Final, NamedTuple

import click

from kdns.cli import corefiles, looking, results
from kdns.cli.progress import Progress, progress
from kdns.cli.surroundings import surroundings
from kdns.config import flags
from kdns.config.defaults import KUBECONFIG, READY_PORT, ZONE, PodsMode
from kdns.config.serving import Serving
from kdns.config.settings import ClusterSource, SettingsError
from kdns.explain import telling
from kdns.explain.explanation import Explanation, described
from kdns.explain.path import QuestionError
from kdns.ops import logs, terminals
from kdns.sources.api import kubeconfig
from kdns.sources.errors import SourceError

_UNKNOWN: Final = 2
_NAMESPACE: Final = "default"
_SERVER: Final = f"127.0.0.1:{READY_PORT}"


class Asked(NamedTuple):
    """The command line."""

    name: str
    whose: str | None
    namespace: str | None
    rtype: str
    server: str | None
    kubeconfig: str | None
    context: str | None
    manifests: tuple[str, ...]
    zone: str | None
    pods: PodsMode | None
    conf: str | None
    plugin: bool = False  # kubectl has called it


def explain(asked: Asked, output: str) -> int:
    """Tells why; the exit status. Raises click.UsageError."""
    logs.configure("error", "explain")
    try:
        with progress("looking") as shown:
            told = asyncio.run(_explained(asked, shown))
    except (SettingsError, QuestionError) as error:
        raise click.UsageError(str(error)) from error
    except SourceError as error:
        sys.stderr.write(f"kdns: {error}\n")
        return _UNKNOWN
    results.show(output, partial(described, told), partial(telling.as_text, told, colour=terminals.colours(sys.stdout)))
    return told.status


async def _explained(given: Asked, shown: Progress) -> Explanation:
    """The explanation. Raises SettingsError, QuestionError and SourceError."""
    source = _cluster(given)
    asked = _asked(given, source)
    of_kubeconfig = source is not None
    if given.server is not None and given.manifests:
        raise SettingsError("--server: found it beside --manifests, expected one of them")
    if given.server is not None or not (of_kubeconfig or given.manifests):
        for flag, value in (("--zone", given.zone), ("--pods", given.pods), ("-conf", given.conf)):
            if value is not None and not (flag == "--zone" and of_kubeconfig):
                raise SettingsError(
                    f"{flag}: found it for a running server, which has its own, expected --kubeconfig or --manifests"
                )
        address = flags.address(given.server or _SERVER, "--server", READY_PORT)
        shown.text = f"asking the server at {address}"
        return await looking.of_server(asked, address, source)
    return await looking.of_cluster(asked, _settings(given, source), shown)


def _cluster(given: Asked) -> ClusterSource | None:
    """The cluster of a kubeconfig that is to be looked at, in a plugin of kubectl that of kubectl if no other source is named."""
    named = given.kubeconfig is not None or given.context is not None
    if named or (given.plugin and given.server is None and not given.manifests):
        return ClusterSource(given.kubeconfig or os.environ.get("KUBECONFIG") or KUBECONFIG, given.context)
    return None


def _whose(given: Asked, source: ClusterSource | None) -> str:
    """Who asks: as it is said, or any pod of the context's namespace. Raises SettingsError and SourceError."""
    if given.whose is not None and given.namespace is not None:
        raise SettingsError("--namespace: found it beside --from, expected one of them")
    if given.whose is not None or given.namespace is not None:
        return given.whose or given.namespace or ""
    if source is None:
        return _NAMESPACE
    return kubeconfig.described(kubeconfig.locate(source.kubeconfig, os.environ), source.context).namespace


def _asked(given: Asked, source: ClusterSource | None) -> looking.Asked:
    whose = _whose(given, source)
    namespace, slash, pod = whose.partition("/")
    if not namespace or (slash and not pod) or "/" in pod:
        raise SettingsError(f'--from: found "{whose}", expected NAMESPACE or NAMESPACE/POD')
    return looking.Asked(given.name, given.rtype, namespace, pod, (given.zone or ZONE).rstrip("."))


def _settings(given: Asked, source: ClusterSource | None) -> Serving:
    """How the cluster's names are answered: as kdns serve has it with these flags. Raises SettingsError."""
    asked = flags.Flags(
        conf=given.conf,
        kubeconfig=None if source is None else source.kubeconfig,
        context=given.context,
        manifests=given.manifests,
        zone=given.zone,
        pods=given.pods,
        workers="1",
    )
    if given.conf is None:
        return flags.serving(asked, surroundings())[0]
    flags.check_combination(asked)
    corefile = corefiles.Corefile(asked, surroundings())
    found = corefile.read()
    if found.servers is None:
        raise SettingsError(found.lines[0])
    return corefile.settings(found.servers)
