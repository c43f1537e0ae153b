"""Targets: the request targets (path and query) by which each resource is listed and watched.

Every list asks for the newest state, none for whatever a replica happens to have cached: it
can't go back in time (K24), and only such a list is really paged (from its cache a server
sends everything at once, whatever the limit). A label selector, as the API writes them, leaves
all other objects out. Source: Kubernetes API Concepts, "Efficient detection of changes",
"Streaming lists", "Resource versions".
"""

from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from kdns.cluster.history import KUBE_SYSTEM
from kdns.cluster.objects import Key, Resource

PAGE_LIMIT: Final = 500  # objects


class Request(NamedTuple):
    """A GET. The answer is a list, read whole, or a watch: a line for each event."""

    target: str
    watch: bool
    heads: bool = False  # only the metadata of objects is wanted


class _Api(NamedTuple):
    group: str
    path: str


_APIS: Final[dict[Resource, _Api]] = {
    "namespaces": _Api("", "/api/v1"),
    "services": _Api("", "/api/v1"),
    "endpointslices": _Api("discovery.k8s.io", "/apis/discovery.k8s.io/v1"),
    "pods": _Api("", "/api/v1"),
    "serviceimports": _Api("multicluster.x-k8s.io", "/apis/multicluster.x-k8s.io/v1alpha1"),
}


def page(resource: Resource, limit: int, token: str = "", selector: str = "") -> Request:
    """A page of the list of all objects; token, from the page before, continues it."""
    query = {"limit": str(limit), **({"continue": token} if token else {}), **_selected(selector)}
    return _request(resource, query, watch=False)


def heads(resource: Resource, token: str = "", selector: str = "") -> Request:
    """A page of the list of all objects, of which only the metadata is wanted."""
    return page(resource, PAGE_LIMIT, token, selector)._replace(heads=True)


def probe(resource: Resource, selector: str = "") -> Request:
    """A list of one object, for its version's sake; of namespaces that which tells one cluster from another."""
    return one(resource, KUBE_SYSTEM, selector) if resource == "namespaces" else page(resource, 1, selector=selector)


def initial_stream(resource: Resource, timeout_s: int, selector: str = "") -> Request:
    """A watch that begins with all objects there are, and a bookmark that says that these were all."""
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    return _request(resource, {**query, **_watch(timeout_s), **_selected(selector)}, watch=True)


def watch(resource: Resource, version: str, timeout_s: int, selector: str = "") -> Request:
    """A watch for all that happened after version. An object that a selector leaves from then on is said to be deleted."""
    return _request(resource, {"resourceVersion": version, **_watch(timeout_s), **_selected(selector)}, watch=True)


def one(resource: Resource, key: Key, selector: str = "") -> Request:
    """A list of one object or none: the role has list and watch, not get."""
    query = urlencode({"fieldSelector": f"metadata.name={key.name}", **_selected(selector)})
    path = f"namespaces/{quote(key.namespace, safe='')}/{resource}" if key.namespace else resource
    return Request(f"{_APIS[resource].path}/{path}?{query}", watch=False)


def full_name(resource: Resource) -> str:
    """The resource as the API server's messages name it."""
    group = _APIS[resource].group
    return f"{resource}.{group}" if group else resource


def role_rule(resource: Resource) -> str:
    """The rule that a ClusterRole needs, as YAML in one line."""
    return f'{{apiGroups: ["{_APIS[resource].group}"], resources: ["{resource}"], verbs: ["list", "watch"]}}'


def _watch(timeout_s: int) -> dict[str, str]:
    return {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(timeout_s)}


def _selected(selector: str) -> dict[str, str]:
    return {"labelSelector": selector} if selector else {}


def _request(resource: Resource, query: dict[str, str], *, watch: bool) -> Request:
    return Request(f"{_APIS[resource].path}/{resource}?{urlencode(query)}", watch)
