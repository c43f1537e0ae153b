"""What is found of an installation: kubeadm's as it is, and with one thing changed at a time."""

from collections.abc import Callable

import pytest

from kdns.migration.checks import Subject, findings, octets
from kdns.migration.finding import DIFFERS, SUPPORTED, UNKNOWN, UNSUPPORTED, Finding, Mark
from tests.migration.kubeadm import Lists, installed, lists

Change = Callable[[Lists], object]
STATE = {"name": "state", "mountPath": "/var/lib/kdns"}


def found(
    change: Change = lambda _: None,
    ports: tuple[int, ...] = (53,),
    cluster_dns: tuple[str, ...] | None = ("10.96.0.10",),
) -> list[Finding]:
    given = lists()
    change(given)
    seen = installed(given)
    workload = seen.workload("coredns")
    assert workload is not None
    directives = ("health", "kubernetes", "prometheus", "ready")
    return findings(Subject(seen, workload, ("-conf", "--snapshot"), directives, ports, cluster_dns))


def workload(given: Lists) -> Lists:
    spec: Lists = given["deployments"][0]["spec"]
    return spec


def container(given: Lists) -> Lists:
    first: Lists = workload(given)["template"]["spec"]["containers"][0]
    return first


def marked(every: list[Finding], mark: Mark) -> list[str]:
    return [each.message for each in every if each.mark == mark]


def test_kubeadms_lacks_a_volume_and_a_budget() -> None:
    every = found()
    assert marked(every, UNSUPPORTED) == marked(every, UNKNOWN) == []
    volume, budget = marked(every, DIFFERS)
    assert volume.startswith("it has no volume at /var/lib/kdns: with another image alone it stays cold")
    assert budget.startswith("no PodDisruptionBudget")
    (instead,) = (each.instead for each in every if each.message == volume)
    assert instead.startswith("kubectl -n kube-system patch deployment/coredns -p '{")
    assert '"volumes": [{"name": "state", "emptyDir"' in instead


CHANGES: list[tuple[Change, Mark, str]] = [
    (lambda a: container(a).update(args=["-conf", "x", "-alsologtostderr"]), UNSUPPORTED, "kdns has no argument -alsologtostderr"),
    (lambda a: container(a).update(args=["-conf=/x"]), SUPPORTED, "its arguments -conf=/x go on as they are"),
    (lambda a: container(a).update(command=["/bin/sh"]), UNSUPPORTED, "its command /bin/sh isn't in the image"),
    (lambda a: container(a).update(command=["/coredns"]), SUPPORTED, "its arguments -conf /etc/coredns/Corefile go on"),
    (lambda a: container(a).update(livenessProbe={"exec": {"command": ["x"]}}), UNSUPPORTED, "its livenessProbe runs a program"),
    (lambda a: container(a).update(livenessProbe={"httpGet": {"path": "/x"}}), UNSUPPORTED, "its livenessProbe asks /x"),
    (lambda a: container(a)["securityContext"]["capabilities"].pop("add"), UNSUPPORTED, "port 53 needs a capability"),
    (lambda a: container(a).pop("securityContext"), SUPPORTED, "its securityContext goes on as it is"),
    (lambda a: container(a)["resources"]["limits"].update(memory="64Mi"), DIFFERS, "its memory limit of 64Mi is less"),
    (lambda a: container(a)["resources"]["limits"].update(memory="100Mi"), SUPPORTED, "its memory limit of 100Mi is enough for 1 worker"),
    (lambda a: container(a)["volumeMounts"].append(STATE), SUPPORTED, "it has a volume at /var/lib/kdns"),
    (lambda a: container(a)["volumeMounts"].append({**STATE, "readOnly": True}), DIFFERS, "it has no volume at /var/lib/kdns"),
    (lambda a: workload(a).update(replicas=1), DIFFERS, "one replica alone"),
    (lambda a: a["deployments"][0]["metadata"]["labels"].update({"addonmanager.kubernetes.io/mode": "Reconcile"}), DIFFERS, "the addon manager looks after it"),
    (lambda a: a["deployments"][0]["metadata"]["labels"].update({"addonmanager.kubernetes.io/mode": "EnsureExists"}), SUPPORTED, "its pods have the label"),
    (lambda a: a["services"].clear(), DIFFERS, "no Service leads port 53 to these pods"),
    (lambda a: a["services"][0]["spec"]["ports"].pop(), DIFFERS, "has no port 9153/TCP"),
    (lambda a: a["services"][0]["spec"]["ports"][0].update(targetPort=1053), UNSUPPORTED, "port 53/UDP leads to port 1053, the Corefile listens on 53"),
    (lambda a: a["services"][0]["spec"]["ports"][0].update(targetPort="dns"), SUPPORTED, "its address 10.96.0.10"),
    (lambda a: a["clusterroles"][0]["rules"].pop(), UNSUPPORTED, "may not list and watch endpointslices"),
    (lambda a: a["clusterroles"][0]["rules"][0]["resources"].remove("pods"), DIFFERS, "may not list and watch pods"),
    (lambda a: a.update(clusterroles="403, no"), UNKNOWN, "its role can't be read: 403, no"),
    (lambda a: a.update(services="403, no"), UNKNOWN, "Services can't be read: 403, no"),
    (lambda a: a.update(poddisruptionbudgets="403, no"), UNKNOWN, "PodDisruptionBudgets can't be read: 403, no"),
    (lambda a: a["daemonsets"].append({"metadata": {"name": "node-local-dns"}}), SUPPORTED, "NodeLocal DNSCache answers pods"),
    (
        lambda a: a["poddisruptionbudgets"].append(
            {"metadata": {"name": "b"}, "spec": {"selector": {"matchLabels": {"k8s-app": "kube-dns"}}}}
        ),
        SUPPORTED,
        "holds for kdns' pods, too",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("change", "mark", "message"), CHANGES, ids=[message for _, _, message in CHANGES])
def test_one_thing_changed(change: Change, mark: Mark, message: str) -> None:
    assert [each for each in marked(found(change), mark) if each.startswith(message)]


@pytest.mark.parametrize(
    ("cluster_dns", "mark", "message"),
    [
        (("10.96.0.10",), SUPPORTED, "kubelets tell pods 10.96.0.10 (clusterDNS), as before"),
        (("169.254.20.10",), SUPPORTED, "kubelets tell pods 169.254.20.10 (clusterDNS), as before"),
        (("10.0.0.9",), DIFFERS, "kubelets tell pods 10.0.0.9 (clusterDNS), not 10.96.0.10"),
    ],
)
def test_what_kubelets_tell_pods(cluster_dns: tuple[str, ...], mark: Mark, message: str) -> None:
    assert message in marked(found(cluster_dns=cluster_dns), mark)


def test_a_high_port_needs_no_capability() -> None:
    def change(given: Lists) -> None:
        container(given)["securityContext"]["capabilities"].pop("add")
        for port in given["services"][0]["spec"]["ports"][:2]:
            port["targetPort"] = 1053

    assert marked(found(change, ports=(1053,)), UNSUPPORTED) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("170Mi", 170 << 20), ("1Gi", 1 << 30), ("200M", 200_000_000), ("128974848", 128974848), ("x", None), ("", None)],
)
def test_quantities(text: str, expected: int | None) -> None:
    assert octets(text) == expected
