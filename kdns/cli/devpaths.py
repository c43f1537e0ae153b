"""As whom kdns dev looks for names: as a pod of a namespace, as a certain pod, or as the machine does.

What a pod's kubelet tells it is explain.path's to say; this machine stands for its node, and kdns for its cluster's DNS, or
for all that it asks where it doesn't ask that.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from kdns.cli.devserving import Clients
from kdns.config.settings import ClusterSource, ManifestSource, SettingsError
from kdns.dev import resolving
from kdns.dev.command import Told
from kdns.dev.process import told_by

_RESOLV_CONF: Final = Path("/etc/resolv.conf")
_NAMESPACE: Final = "default"
_NONE: Final = "None"


class Looks(NamedTuple):
    """What programs are told, and what kdns does for those that aren't told."""

    told: Told
    clients: Clients
    searched: tuple[str, ...] = ()  # the domains of the cluster by which short names are completed


def of_machine(zone: str) -> Looks:
    """As without any pod; short names are those of the namespace default."""
    return of_namespace(zone, _NAMESPACE)._replace(told=Told(zone))


def of_namespace(zone: str, namespace: str) -> Looks:
    """As a pod of the namespace with no DNS settings of its own."""
    from kdns.explain import path  # noqa: PLC0415 - it takes time to import

    found = path.resolving(path.PodSpec(), namespace, zone, path.Node(*_machine()))
    searched = path.of_namespace(namespace, zone).search
    return Looks(Told(zone, resolving.Path(found.search, found.options)), Clients(namespace), searched)


def of_pod(zone: str, whose: str, source: ClusterSource | ManifestSource | None) -> Looks:
    """As this pod of the cluster, NAMESPACE/POD. Raises SettingsError and SourceError. This process must have one thread."""
    from kdns.cli import pods  # noqa: PLC0415 - as above
    from kdns.explain import path  # noqa: PLC0415

    key = pods.key_of(whose)
    where = source if isinstance(source, ClusterSource) else source.paths if source is not None else ()
    pod = pods.pod_of(told_by(partial(pods.told, key, where)))
    try:
        spec = path.pod_spec(pod)
    except path.QuestionError as error:
        raise SettingsError(f"--from {whose}: {error}") from error
    found = path.resolving(spec, key.namespace, zone, path.Node(*_machine()))
    bare = path.resolving(spec, key.namespace, zone)
    _say(whose, found.search, found.ndots, found.note)
    others = () if spec.dns_policy == _NONE else found.nameservers
    told = Told(zone, resolving.Path(found.search, found.options), others)
    searched = tuple(each for each in bare.search if each == zone or each.endswith(f".{zone}"))
    return Looks(told, Clients("", bare.search, bare.ndots), searched)


def _say(whose: str, search: tuple[str, ...], ndots: int, note: str) -> None:
    told = f"search path {' '.join(search)}, ndots {ndots}" if search else "no search path"
    also = f"; {note}; here kdns is asked first" if note else ""
    sys.stderr.write(f"kdns dev: names as in pod {whose}: {told}{also}\n")


def _machine() -> resolving.Path:
    try:
        return resolving.path_of(_RESOLV_CONF.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return resolving.Path()
