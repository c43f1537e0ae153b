"""What a role allows: whose bindings count, and which rules."""

from typing import Any

import pytest

from kdns.migration.role import missing, rules

ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
CORE = {"apiGroups": [""], "resources": ["namespaces", "services", "pods"], "verbs": ["list", "watch"]}
SLICES = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
ACCOUNT = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
EVERY = ["namespaces", "services", "endpointslices", "pods"]


def lacking(given: list[dict[str, Any]], subject: dict[str, Any] = ACCOUNT) -> list[str]:
    binding = {"roleRef": {"name": "a"}, "subjects": [subject]}
    return missing([binding], [{"metadata": {"name": "a"}, "rules": given}], "kube-system", "coredns")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([CORE, SLICES], []),
        ([ALL], []),
        ([], EVERY),
        ([CORE], ["endpointslices"]),
        ([{**CORE, "verbs": ["list"]}, SLICES], ["namespaces", "services", "pods"]),
        ([{**CORE, "verbs": ["list"]}, {**CORE, "verbs": ["watch"]}, SLICES], []),
        ([CORE, {**SLICES, "apiGroups": [""]}], ["endpointslices"]),
        ([CORE, {**SLICES, "resourceNames": ["a"]}], ["endpointslices"]),
    ],
)
def test_every_verb_on_every_resource_is_needed(given: list[dict[str, Any]], expected: list[str]) -> None:
    assert lacking(given) == expected


@pytest.mark.parametrize(
    ("subject", "counts"),
    [
        (ACCOUNT, True),
        ({**ACCOUNT, "namespace": "other"}, False),
        ({**ACCOUNT, "name": "other"}, False),
        ({"kind": "Group", "name": "system:serviceaccounts"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:kube-system"}, True),
        ({"kind": "Group", "name": "system:serviceaccounts:other"}, False),
        ({"kind": "User", "name": "system:serviceaccount:kube-system:coredns"}, True),
    ],
)
def test_whose_bindings_count(subject: dict[str, Any], counts: bool) -> None:
    assert lacking([ALL], subject) == ([] if counts else EVERY)


def test_rules_to_add() -> None:
    assert list(rules(["endpointslices"])) == [SLICES]
