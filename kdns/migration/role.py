"""What a service account may do, and what of it kdns needs: list and watch of four kinds of objects, in all namespaces.

Read from the rules that bindings give it; what an authorizer other than RBAC allows isn't seen.
Source: Kubernetes "Using RBAC Authorization".
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kdns.migration import tree
from kdns.migration.tree import Object

NEEDED: Final[Mapping[str, str]] = {
    "namespaces": "",
    "services": "",
    "endpointslices": "discovery.k8s.io",
    "pods": "",
}
_VERBS: Final = ("list", "watch")


def missing(bindings: Sequence[Object], roles: Sequence[Object], namespace: str, account: str) -> list[str]:
    """Of the resources that are needed those that the account may not list and watch."""
    known = {tree.name(role): role for role in roles}
    rules = [
        rule
        for binding in bindings
        if _is_bound(binding, namespace, account)
        for rule in tree.items(known.get(tree.text(binding, "roleRef", "name")), "rules")
    ]
    return [resource for resource, group in NEEDED.items() if not _is_allowed(rules, resource, group)]


def rules(resources: Sequence[str]) -> Iterator[dict[str, list[str]]]:
    """The rules that a role needs for these."""
    for resource in resources:
        yield {"apiGroups": [NEEDED[resource]], "resources": [resource], "verbs": [*_VERBS]}


def _is_bound(binding: Object, namespace: str, account: str) -> bool:
    groups = {"system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"}
    for subject in tree.items(binding, "subjects"):
        kind, name = tree.text(subject, "kind"), tree.text(subject, "name")
        if kind == "ServiceAccount" and (tree.text(subject, "namespace"), name) == (namespace, account):
            return True
        if kind == "Group" and name in groups:
            return True
        if kind == "User" and name == f"system:serviceaccount:{namespace}:{account}":
            return True
    return False


def _is_allowed(rules: Sequence[Object], resource: str, group: str) -> bool:
    """Whether every verb is allowed, by whichever rule; rules for single names allow no list."""
    return all(any(_allows(rule, resource, group, verb) for rule in rules) for verb in _VERBS)


def _allows(rule: Object, resource: str, group: str, verb: str) -> bool:
    wanted = {"apiGroups": group, "resources": resource, "verbs": verb}
    fits = all({"*", value} & set(tree.texts(rule, field)) for field, value in wanted.items())
    return fits and not tree.texts(rule, "resourceNames")
