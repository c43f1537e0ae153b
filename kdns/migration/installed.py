"""What a cluster has installed for its DNS, found by what belongs together: ConfigMap, pods that mount it, Services that lead to them.

Knows objects as the API server lists them and nothing of how they are read; a list that can't be read is the reason why.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from kdns.migration import tree
from kdns.migration.tree import Object

# What is listed, and where: the namespace takes the place of {}.
TARGETS: Final[Mapping[str, str]] = {
    "configmaps": "/api/v1/namespaces/{}/configmaps",
    "services": "/api/v1/namespaces/{}/services",
    "deployments": "/apis/apps/v1/namespaces/{}/deployments",
    "daemonsets": "/apis/apps/v1/namespaces/{}/daemonsets",
    "poddisruptionbudgets": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}
COREFILE: Final = "Corefile"
_FOLDER: Final = "/etc/coredns"
_NODE_LOCAL: Final = "node-local-dns"


class Workload(NamedTuple):
    """The Deployment or DaemonSet that serves by the ConfigMap."""

    kind: str
    value: Object
    container: Object  # the one that mounts it

    @property
    def name(self) -> str:
        """Its name."""
        return tree.name(self.value)

    @property
    def pod(self) -> Object:
        """The spec of its pods."""
        return tree.mapping(self.value, "spec", "template", "spec")

    @property
    def labels(self) -> Object:
        """The labels of its pods."""
        return tree.mapping(self.value, "spec", "template", "metadata", "labels")

    @property
    def arguments(self) -> list[str]:
        """What the container is started with."""
        return tree.texts(self.container, "args")

    @property
    def conf(self) -> str:
        """The path of the Corefile in the container."""
        words = [part for each in self.arguments for part in each.split("=", 1)]
        named = [after for flag, after in pairwise(words) if flag in {"-conf", "--conf"}]
        return posixpath.join("/", named[-1]) if named else f"{_FOLDER}/{COREFILE}"


class Installed(NamedTuple):
    """All that is there, as far as it can be read."""

    namespace: str
    lists: Mapping[str, Sequence[Object] | str]  # by what is listed; a text says why it isn't

    def all(self, what: str) -> Sequence[Object]:
        """The objects; none where they can't be read."""
        found = self.lists[what]
        return () if isinstance(found, str) else found

    def config_map(self, name: str) -> Object | None:
        """The ConfigMap of a name."""
        return next((each for each in self.all("configmaps") if tree.name(each) == name), None)

    def workload(self, config_map: str) -> Workload | None:
        """What serves by a ConfigMap; of several, the one called like it first."""
        kinds = {"deployments": "Deployment", "daemonsets": "DaemonSet"}
        found = [
            Workload(kind, each, container)
            for what, kind in kinds.items()
            for each in self.all(what)
            if tree.name(each) != _NODE_LOCAL
            for container in _mounting(each, config_map)
        ]
        return min(found, key=lambda each: each.name != config_map, default=None)

    def services(self, workload: Workload) -> list[Object]:
        """The Services that lead to its pods."""
        return [
            each
            for each in self.all("services")
            if tree.selects(tree.mapping(each, "spec", "selector"), workload.labels)
        ]

    def node_local(self) -> Object | None:
        """NodeLocal DNSCache, where it is in the namespace."""
        return next((each for each in self.all("daemonsets") if tree.name(each) == _NODE_LOCAL), None)

    def files(self, workload: Workload | None, config_map: str) -> dict[str, str]:
        """The texts of all ConfigMaps that the container mounts, by their path; without one, the Corefile's."""
        if workload is None:
            return {f"{_FOLDER}/{key}": text for key, text in self._data(config_map)}
        volumes = {tree.text(each, "name"): each for each in tree.items(workload.pod, "volumes")}
        found: dict[str, str] = {}
        for mount in tree.items(workload.container, "volumeMounts"):
            source = tree.mapping(volumes.get(tree.text(mount, "name")), "configMap")
            paths = {tree.text(each, "key"): tree.text(each, "path") for each in tree.items(source, "items")}
            for key, text in self._data(tree.text(source, "name")):
                if not paths or key in paths:
                    found[posixpath.join(tree.text(mount, "mountPath"), paths.get(key, key))] = text
        return found

    def _data(self, config_map: str) -> Iterator[tuple[str, str]]:
        value = tree.mapping(self.config_map(config_map), "data")
        return ((key, text) for key, text in value.items() if isinstance(text, str))


def _mounting(workload: Object, config_map: str) -> Iterator[Object]:
    """The containers that mount a ConfigMap."""
    pod = tree.mapping(workload, "spec", "template", "spec")
    volumes = {
        tree.text(each, "name")
        for each in tree.items(pod, "volumes")
        if tree.text(each, "configMap", "name") == config_map
    }
    for container in tree.items(pod, "containers"):
        if any(tree.text(each, "name") in volumes for each in tree.items(container, "volumeMounts")):
            yield container
