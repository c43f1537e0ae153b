"""The chart: it takes what was written for the coredns chart, and what it renders is what the manifests are."""

import sys
from typing import Any

import pytest
import yaml

import kdns
from tests.kit import kit
from tests.kit.kit import CHART, VALUES, one

KDNS = (sys.executable, "-m", "kdns")
# Every value of the coredns chart 1.46.2, by the paths that its users write.
COREDNS_VALUES = [
    "image.repository",
    "image.tag",
    "image.pullPolicy",
    "image.pullSecrets",
    "replicaCount",
    "resources",
    "rollingUpdate.maxUnavailable",
    "rollingUpdate.maxSurge",
    "terminationGracePeriodSeconds",
    "podAnnotations",
    "podLabels",
    "serviceType",
    "prometheus.service.enabled",
    "prometheus.service.annotations",
    "prometheus.service.selector",
    "prometheus.monitor.enabled",
    "prometheus.monitor.additionalLabels",
    "prometheus.monitor.namespace",
    "prometheus.monitor.interval",
    "prometheus.monitor.scrapeTimeout",
    "prometheus.monitor.scheme",
    "prometheus.monitor.honorLabels",
    "prometheus.monitor.tlsConfig",
    "prometheus.monitor.relabelings",
    "prometheus.monitor.metricRelabelings",
    "prometheus.monitor.selector",
    "service.name",
    "service.annotations",
    "service.selector",
    "serviceAccount.create",
    "serviceAccount.name",
    "serviceAccount.annotations",
    "rbac.create",
    "clusterRole.nameOverride",
    "isClusterService",
    "priorityClassName",
    "podSecurityContext",
    "securityContext",
    "servers",
    "extraConfig",
    "livenessProbe.enabled",
    "livenessProbe.initialDelaySeconds",
    "livenessProbe.periodSeconds",
    "livenessProbe.timeoutSeconds",
    "livenessProbe.failureThreshold",
    "livenessProbe.successThreshold",
    "readinessProbe.enabled",
    "readinessProbe.initialDelaySeconds",
    "readinessProbe.periodSeconds",
    "readinessProbe.timeoutSeconds",
    "readinessProbe.failureThreshold",
    "readinessProbe.successThreshold",
    "affinity",
    "topologySpreadConstraints",
    "nodeSelector",
    "tolerations",
    "podDisruptionBudget",
    "zoneFiles",
    "extraContainers",
    "extraVolumes",
    "extraVolumeMounts",
    "extraSecrets",
    "env",
    "customLabels",
    "customAnnotations",
    "hpa.enabled",
    "hpa.minReplicas",
    "hpa.maxReplicas",
    "hpa.metrics",
    "autoscaler.enabled",
    "autoscaler.coresPerReplica",
    "autoscaler.nodesPerReplica",
    "autoscaler.min",
    "autoscaler.max",
    "autoscaler.includeUnschedulableNodes",
    "autoscaler.preventSinglePointFailure",
    "autoscaler.podAnnotations",
    "autoscaler.podSecurityContext",
    "autoscaler.securityContext",
    "autoscaler.image.repository",
    "autoscaler.image.tag",
    "autoscaler.image.pullPolicy",
    "autoscaler.image.pullSecrets",
    "autoscaler.priorityClassName",
    "autoscaler.affinity",
    "autoscaler.nodeSelector",
    "autoscaler.tolerations",
    "autoscaler.resources",
    "autoscaler.configmap.annotations",
    "autoscaler.livenessProbe.enabled",
    "autoscaler.extraContainers",
    "deployment.skipConfig",
    "deployment.enabled",
    "deployment.name",
    "deployment.annotations",
    "deployment.selector",
    "deployment.dnsPolicy",
    "deployment.dnsConfig",
    "initContainers",
]
# Those that are named in a comment, since being there would mean something.
UNSET = [
    "service.clusterIP",
    "service.clusterIPs",
    "service.loadBalancerIP",
    "service.loadBalancerClass",
    "service.externalIPs",
    "service.externalTrafficPolicy",
    "service.ipFamilyPolicy",
    "service.trafficDistribution",
    "k8sAppLabelOverride",
    "hpa.behavior",
]


def test_every_value_of_the_coredns_chart_is_one_here() -> None:
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    assert [path for path in COREDNS_VALUES if not _has(values, path.split("."))] == []
    assert [path for path in UNSET if f"# {path.rpartition('.')[2]}:" not in text] == []


def _has(values: Any, path: list[str]) -> bool:
    return not path or (isinstance(values, dict) and path[0] in values and _has(values[path[0]], path[1:]))


@pytest.mark.parametrize("values", VALUES)
def test_kubernetes_knows_every_field(values: str | None) -> None:
    kit.validate(kit.helm(values))


@pytest.mark.parametrize("values", VALUES)
def test_every_corefile_can_be_served(values: str | None) -> None:
    corefile = one("ConfigMap", kit.objects(kit.helm(values)), None if values is None else _config(values))["data"][
        "Corefile"
    ]
    assert corefile == corefile.lstrip()
    if values != "everything-values.yaml":  # which names files that aren't here
        kit.checked(corefile, KDNS)


def _config(values: str) -> str:
    return "coredns" if values.startswith("takeover") else "dns-kdns"


def test_the_chart_is_of_this_version_and_lint_has_nothing_to_say() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (kdns.__version__, kdns.__version__)
    assert "0 chart(s) failed" in kit.run(kit.tool("helm"), "lint", "--strict", str(CHART))


def test_by_default_it_runs_as_the_manifests_do() -> None:
    ((chart_pod, chart),) = kit.containers(kit.objects(kit.helm()))
    ((pod, container),) = kit.containers(kit.objects(kit.kustomize("overlays/side-by-side")))
    for name in ("args", "resources", "securityContext"):
        assert chart[name] == container[name], name
    for name in ("securityContext", "dnsPolicy", "enableServiceLinks", "terminationGracePeriodSeconds"):
        assert chart_pod[name] == pod[name], name
    spread = [each["topologyKey"] for each in chart_pod["topologySpreadConstraints"]]
    assert spread == [each["topologyKey"] for each in pod["topologySpreadConstraints"]]
    corefiles = [
        one("ConfigMap", kit.objects(text))["data"]["Corefile"]
        for text in (kit.helm(), kit.kustomize("overlays/side-by-side"))
    ]
    assert corefiles[0] == corefiles[1]


def test_it_makes_what_one_expects_and_monitoring_only_where_asked_for() -> None:
    kinds = [each["kind"] for each in kit.objects(kit.helm())]
    assert sorted(kinds) == sorted(
        [
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "ConfigMap",
            "Deployment",
            "Service",
            "Service",
            "PodDisruptionBudget",
            "NetworkPolicy",
        ]
    )
    everything = {each["kind"] for each in kit.objects(kit.helm("everything-values.yaml"))}
    assert everything >= {"ServiceMonitor", "PrometheusRule", "HorizontalPodAutoscaler"}


def test_values_written_for_coredns_get_what_its_chart_gave_by_default() -> None:
    ((_, container),) = kit.containers(kit.objects(kit.helm("coredns-values.yaml")))
    assert container["securityContext"]["capabilities"] == {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}
    ports = {(each["name"], each["containerPort"]) for each in container["ports"]}
    assert ports == {("dns", 53), ("dns-tcp", 53), ("metrics", 9153)}


def test_a_port_above_1024_needs_no_capability_and_a_context_that_is_given_stays() -> None:
    ((_, container),) = kit.containers(kit.objects(kit.helm()))
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    given = ("--set", "servers[0].port=53", "--set", "securityContext.capabilities.add[0]=CHOWN")
    ((_, container),) = kit.containers(kit.objects(kit.helm(None, *given)))
    assert container["securityContext"]["capabilities"]["add"] == ["CHOWN"]


def test_what_is_taken_over_has_the_cluster_s_names() -> None:
    found = kit.objects(kit.helm("takeover-values.yaml"))
    deployment = one("Deployment", found, "coredns")
    assert deployment["spec"]["selector"] == {"matchLabels": {"k8s-app": "kube-dns"}}
    assert deployment["spec"]["template"]["metadata"]["labels"]["k8s-app"] == "kube-dns"
    assert "replicas" not in deployment["spec"]  # the autoscaler's
    assert one("Service", found, "kube-dns")["spec"]["clusterIP"] == "10.96.0.10"
    assert one("ClusterRole", found, "system:coredns")
    autoscaler = one("Deployment", found, "coredns-autoscaler")
    assert "--target=Deployment/coredns" in autoscaler["spec"]["template"]["spec"]["containers"][0]["command"]


def test_pages_and_ports_follow_the_server_blocks() -> None:
    found = kit.objects(kit.helm("everything-values.yaml"))
    ((_, container),) = kit.containers(found)
    assert container["livenessProbe"]["httpGet"]["port"] == 8090
    assert container["readinessProbe"]["httpGet"]["port"] == 8191
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"dns": 53, "dns-tcp": 53, "tcp-853": 853, "udp-5353": 5353, "metrics": 9200}
    allowed = {each["port"] for each in one("NetworkPolicy", found)["spec"]["ingress"][0]["ports"]}
    assert allowed == {53, 853, 5353, 8090, 8191, 9200}


def test_no_dns_config_where_one_is_needed_is_said() -> None:
    with pytest.raises(AssertionError, match=r"deployment\.dnsConfig: found nothing, expected name servers"):
        kit.helm(None, "--set", "deployment.dnsPolicy=None")
