"""The checks of what is installed: for each part of it whether kdns can take CoreDNS' place as it is, and what to do where not.

Each is a function from what is installed to findings. What has the same effect under both servers, good or bad, isn't one.
Sources: kubeadm's CoreDNS addon; docs/image.md (what the image can be started as), docs/operations.md (the snapshot).
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final, NamedTuple

from kdns.config import workers
from kdns.config.defaults import STATE_FOLDER
from kdns.migration import role, tree
from kdns.migration.finding import DIFFERS, SUPPORTED, UNKNOWN, UNSUPPORTED, Finding, Mark
from kdns.migration.installed import Installed, Workload
from kdns.migration.tree import Object

_ENTRY_POINTS: Final = ("/coredns", "coredns", "kdns")
_PROBED: Final = {"/health": "health", "/ready": "ready", "/metrics": "prometheus"}
_UNITS: Final = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}
_PRIVILEGED: Final = 1024
_LOCAL_ADDRESS: Final = "169.254.20.10"
# Who puts back what others change, by a label or an annotation's name and the beginning of its value.
_KEEPERS: Final = (
    ("addonmanager.kubernetes.io/mode", "Reconcile", "the addon manager"),
    ("eks.amazonaws.com/component", "", "the EKS add-on"),
    ("objectset.rio.cattle.io/owner-name", "", "K3s or RKE2"),
    ("kubernetes.azure.com/managedby", "", "AKS"),
    ("app.kubernetes.io/managed-by", "Helm", "Helm"),
    ("dns.operator.openshift.io/owning-dns", "", "OpenShift's DNS operator"),
)


class Subject(NamedTuple):
    """What is looked at."""

    installed: Installed
    workload: Workload
    flags: Collection[str]  # those that kdns has
    directives: Collection[str]  # those of the Corefile
    ports: Collection[int]  # that the Corefile listens on
    cluster_dns: Sequence[str] | None  # of the kubelets; None where that can't be seen

    @property
    def where(self) -> str:
        """How kubectl calls what serves."""
        return f"{self.workload.kind.lower()}/{self.workload.name}"

    def finding(self, mark: Mark, message: str, instead: str = "") -> Finding:
        """One about the workload itself."""
        return _of(self.workload.kind, self.installed.namespace, self.workload.name, mark, message, instead)


def findings(subject: Subject) -> list[Finding]:
    """All that is found, in the order of the checks."""
    return [each for check in _CHECKS for each in check(subject)]


def _of(kind: str, namespace: str, name: str, mark: Mark, message: str, instead: str = "") -> Finding:
    return Finding(f"{kind} {namespace}/{name}", mark, message, instead)


def _services(subject: Subject) -> Iterator[Finding]:
    found = subject.installed.services(subject.workload)
    dns = [each for each in found if any(tree.text(port, "port") == "53" for port in tree.items(each, "spec", "ports"))]
    for each in found:
        yield from _service(subject, each) if each in dns else ()
    if not dns:
        why = subject.installed.lists["services"]
        message = f"Services can't be read: {why}" if isinstance(why, str) else "no Service leads port 53 to these pods"
        yield subject.finding(UNKNOWN if isinstance(why, str) else DIFFERS, message)


def _service(subject: Subject, service: Object) -> Iterator[Finding]:
    def finding(mark: Mark, message: str, instead: str = "") -> Finding:
        return _of("Service", subject.installed.namespace, tree.name(service), mark, message, instead)

    address = tree.text(service, "spec", "clusterIP")
    yield finding(SUPPORTED, f"its address {address}, its selector and its labels stay: change none of them")
    ports = {(tree.text(each, "port"), tree.text(each, "protocol") or "TCP"): each for each in _ports(service)}
    for wanted, use in (
        (("53", "UDP"), "questions"),
        (("53", "TCP"), "answers too long for UDP"),
        (("9153", "TCP"), "metrics"),
    ):
        if wanted not in ports:
            yield finding(DIFFERS, f"has no port {'/'.join(wanted)}: there are no {use} by it, as before")
    for (port, protocol), each in ports.items():
        number = _number(subject.workload, tree.text(each, "targetPort") or port, protocol)
        if port == "53" and number is not None and subject.ports and number not in subject.ports:
            message = f"port 53/{protocol} leads to port {number}, the Corefile listens on {_listed(subject.ports)}"
            yield finding(UNSUPPORTED, message, "let both be the same")
    if subject.cluster_dns is None:
        return
    told = f"kubelets tell pods {', '.join(subject.cluster_dns) or 'nothing'} (clusterDNS)"
    if address in subject.cluster_dns or _LOCAL_ADDRESS in subject.cluster_dns:
        yield finding(SUPPORTED, f"{told}, as before")
    else:
        yield finding(DIFFERS, f"{told}, not {address}", "let it be the Service's address")


def _labels(subject: Subject) -> Iterator[Finding]:
    label = tree.text(subject.workload.labels, "k8s-app")
    if label:
        yield subject.finding(SUPPORTED, f"its pods have the label k8s-app={label}, by which they are found: leave it")


def _keepers(subject: Subject) -> Iterator[Finding]:
    value = subject.workload.value
    said = {**tree.mapping(value, "metadata", "annotations"), **tree.mapping(value, "metadata", "labels")}
    for key, begins, who in _KEEPERS:
        if key in said and str(said[key]).startswith(begins):
            message = f"{who} looks after it ({key}) and may put CoreDNS' image back"
            yield subject.finding(
                DIFFERS, message, "change the image there, or install kdns beside it: docs/install.md"
            )


def _command(subject: Subject) -> Iterator[Finding]:
    command = tree.texts(subject.workload.container, "command")
    if command and command[0] not in _ENTRY_POINTS:
        yield subject.finding(UNSUPPORTED, f"its command {command[0]} isn't in the image", "leave command out")
    words = [*command[1:], *subject.workload.arguments]
    unknown = [each for each in words if each.startswith("-") and each.partition("=")[0] not in subject.flags]
    for each in unknown:
        yield subject.finding(UNSUPPORTED, f"kdns has no argument {each}", "leave it out")
    if not unknown:
        yield subject.finding(SUPPORTED, f"its arguments {' '.join(words) or '(none)'} go on as they are")


def _probes(subject: Subject) -> Iterator[Finding]:
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = tree.mapping(subject.workload.container, kind)
        path = tree.text(probe, "httpGet", "path")
        if "exec" in probe:
            message = f"its {kind} runs a program, of which the image has none but kdns"
            yield subject.finding(UNSUPPORTED, message, "ask /health or /ready by httpGet")
        elif path and path not in _PROBED:
            yield subject.finding(UNSUPPORTED, f"its {kind} asks {path}", "ask /health or /ready")
        elif path and _PROBED[path] not in subject.directives:
            message = f"its {kind} asks {path}, and the Corefile has no {_PROBED[path]}"
            yield subject.finding(UNSUPPORTED, message, f"write {_PROBED[path]} into it")
        elif path:
            yield subject.finding(SUPPORTED, f"its {kind} asks {path}, as before")


def _security(subject: Subject) -> Iterator[Finding]:
    own = tree.mapping(subject.workload.container, "securityContext")
    dropped, added = (set(tree.texts(own, "capabilities", each)) for each in ("drop", "add"))
    low = [port for port in subject.ports if 0 < port < _PRIVILEGED]
    sysctls = {tree.text(each, "name"): each for each in tree.items(subject.workload.pod, "securityContext", "sysctls")}
    opened = tree.text(sysctls.get("net.ipv4.ip_unprivileged_port_start"), "value") == "0"
    may_bind = opened or "ALL" not in dropped or bool({"NET_BIND_SERVICE", "ALL"} & added)
    if low and not may_bind:
        message = f"port {low[0]} needs a capability that it drops"
        yield subject.finding(UNSUPPORTED, message, "add NET_BIND_SERVICE, as kubeadm's manifest does")
    else:
        yield subject.finding(
            SUPPORTED, "its securityContext goes on as it is; kdns runs as user 65532 if none is named"
        )


def _memory(subject: Subject) -> Iterator[Finding]:
    text = tree.text(subject.workload.container, "resources", "limits", "memory")
    size = octets(text)
    if size is None:
        return
    if size < workers.LEAST_BYTES:
        message = f"its memory limit of {text} is less than one worker needs with a large cluster"
        yield subject.finding(DIFFERS, message, f"allow {workers.LEAST_BYTES >> 20}Mi or more")
        return
    count = workers.automatic(workers.MOST, workers.Limits(None, size))
    message = f"its memory limit of {text} is enough for {count} worker{'' if count == 1 else 's'}"
    yield subject.finding(SUPPORTED, message)


def _snapshot(subject: Subject) -> Iterator[Finding]:
    workload = subject.workload
    if any(each.partition("=")[0] == "--snapshot" for each in workload.arguments):
        return
    mounts = tree.items(workload.container, "volumeMounts")
    if any(tree.text(each, "mountPath").rstrip("/") == STATE_FOLDER and not each.get("readOnly") for each in mounts):
        yield subject.finding(
            SUPPORTED, f"it has a volume at {STATE_FOLDER}: a start without the API server has answers"
        )
        return
    yield subject.finding(
        DIFFERS,
        f"it has no volume at {STATE_FOLDER}: with another image alone it stays cold, so that without the API server a start"
        " has no answers (docs/operations.md#never-cold)",
        f"kubectl -n {subject.installed.namespace} patch {subject.where} -p '{json.dumps(_with_volume(workload))}'",
    )


def _with_volume(workload: Workload) -> dict[str, object]:
    mount = {"name": "state", "mountPath": STATE_FOLDER}
    container = {"name": tree.text(workload.container, "name"), "volumeMounts": [mount]}
    volume = {"name": "state", "emptyDir": {"sizeLimit": "64Mi"}}
    return {"spec": {"template": {"spec": {"containers": [container], "volumes": [volume]}}}}


def _replicas(subject: Subject) -> Iterator[Finding]:
    if subject.workload.kind == "Deployment" and tree.text(subject.workload.value, "spec", "replicas") == "1":
        message = "one replica alone: there are no answers while it starts anew"
        yield subject.finding(DIFFERS, message, "have two or more")


def _disruptions(subject: Subject) -> Iterator[Finding]:
    budgets = subject.installed.lists["poddisruptionbudgets"]
    if isinstance(budgets, str):
        yield subject.finding(UNKNOWN, f"PodDisruptionBudgets can't be read: {budgets}")
        return
    labels = subject.workload.labels
    found = [each for each in budgets if tree.selects(tree.mapping(each, "spec", "selector", "matchLabels"), labels)]
    for each in found:
        yield _of(
            "PodDisruptionBudget", subject.installed.namespace, tree.name(each), SUPPORTED, "holds for kdns' pods, too"
        )
    if not found and subject.workload.kind == "Deployment":
        message = "no PodDisruptionBudget: a drain may end all its pods at once, as before"
        yield subject.finding(DIFFERS, message, "manifests/overlays/replace-coredns has one")


def _role(subject: Subject) -> Iterator[Finding]:
    account = tree.text(subject.workload.pod, "serviceAccountName") or "default"
    namespace, lists = subject.installed.namespace, subject.installed.lists
    for what in ("clusterroles", "clusterrolebindings"):
        if isinstance(why := lists[what], str):
            yield _of("ServiceAccount", namespace, account, UNKNOWN, f"its role can't be read: {why}")
            return
    all_of = subject.installed.all
    missing = role.missing(all_of("clusterrolebindings"), all_of("clusterroles"), namespace, account)
    if not missing:
        message = "may list and watch what kdns needs: Namespaces, Services, EndpointSlices, Pods"
        yield _of("ServiceAccount", namespace, account, SUPPORTED, message)
    needed = [each for each in missing if each != "pods"]
    if needed:
        rules = json.dumps([*role.rules(missing)])
        message = f"may not list and watch {_listed(missing)}"
        yield _of("ServiceAccount", namespace, account, UNSUPPORTED, message, f"add to its ClusterRole: {rules}")
    elif missing:
        message = "may not list and watch pods: names of pods in the mode verified don't exist then"
        yield _of("ServiceAccount", namespace, account, DIFFERS, message, f"add: {json.dumps([*role.rules(missing)])}")


def _node_local(subject: Subject) -> Iterator[Finding]:
    found = subject.installed.node_local()
    if found is not None:
        message = (
            "NodeLocal DNSCache answers pods from a cache of its own on each node and asks kdns by TCP; nothing of it"
            " changes, and a name may be as old there as its TTL"
        )
        yield _of("DaemonSet", subject.installed.namespace, tree.name(found), SUPPORTED, message)


def _ports(service: Object) -> list[Object]:
    return tree.items(service, "spec", "ports")


def _number(workload: Workload, target: str, protocol: str) -> int | None:
    """The number of a container's port; None for a name that no port has."""
    if target.isdecimal():
        return int(target)
    for each in tree.items(workload.container, "ports"):
        if tree.text(each, "name") == target and (tree.text(each, "protocol") or "TCP") == protocol:
            return int(tree.text(each, "containerPort") or 0)
    return None


def octets(quantity: str) -> int | None:
    """A quantity of memory in octets; None for what is none."""
    digits = quantity.rstrip("KMGikmg")
    unit = quantity[len(digits) :]
    return int(digits) * _UNITS[unit] if digits.isdecimal() and unit in _UNITS else None


def _listed(words: Collection[object]) -> str:
    *first, last = map(str, words)
    return f"{', '.join(first)} and {last}" if first else last


_CHECKS: Final[tuple[Callable[[Subject], Iterator[Finding]], ...]] = (
    *(_services, _labels, _keepers, _command, _probes, _security, _memory),
    *(_snapshot, _replicas, _disruptions, _role, _node_local),
)
