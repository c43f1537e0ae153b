"""What kubeadm installs for DNS, as objects, and a server that lists them as an API server does."""

import copy
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import yaml

from kdns.migration.installed import TARGETS, Installed

NAMESPACE: Final = "kube-system"
COREFILE: Final = """\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""
_YAML: Final = """
configmaps:
  - metadata: {name: coredns}
    data: {Corefile: ""}
  - metadata: {name: kubelet-config}
    data: {kubelet: "kind: KubeletConfiguration\\nclusterDNS:\\n- 10.96.0.10\\n"}
services:
  - metadata: {name: kube-dns, labels: {k8s-app: kube-dns}}
    spec:
      clusterIP: 10.96.0.10
      selector: {k8s-app: kube-dns}
      ports:
        - {name: dns, port: 53, protocol: UDP, targetPort: 53}
        - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
        - {name: metrics, port: 9153, protocol: TCP, targetPort: 9153}
deployments:
  - metadata: {name: coredns, labels: {k8s-app: kube-dns}}
    spec:
      replicas: 2
      template:
        metadata: {labels: {k8s-app: kube-dns}}
        spec:
          serviceAccountName: coredns
          dnsPolicy: Default
          volumes:
            - {name: config-volume, configMap: {name: coredns, items: [{key: Corefile, path: Corefile}]}}
          containers:
            - name: coredns
              image: registry.k8s.io/coredns/coredns:v1.12.0
              resources: {limits: {memory: 170Mi}, requests: {cpu: 100m, memory: 70Mi}}
              args: [-conf, /etc/coredns/Corefile]
              volumeMounts: [{name: config-volume, mountPath: /etc/coredns, readOnly: true}]
              ports:
                - {containerPort: 53, name: dns, protocol: UDP}
                - {containerPort: 53, name: dns-tcp, protocol: TCP}
                - {containerPort: 9153, name: metrics, protocol: TCP}
              livenessProbe: {httpGet: {path: /health, port: 8080}}
              readinessProbe: {httpGet: {path: /ready, port: 8181}}
              securityContext:
                allowPrivilegeEscalation: false
                capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}
                readOnlyRootFilesystem: true
daemonsets: []
poddisruptionbudgets: []
clusterroles:
  - metadata: {name: "system:coredns"}
    rules:
      - {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
      - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
clusterrolebindings:
  - metadata: {name: "system:coredns"}
    roleRef: {kind: ClusterRole, name: "system:coredns"}
    subjects: [{kind: ServiceAccount, name: coredns, namespace: kube-system}]
"""

Lists = dict[str, Any]


def lists(corefile: str = COREFILE) -> Lists:
    """The objects by what is listed; a test changes what it is about."""
    found: Lists = copy.deepcopy(yaml.safe_load(_YAML))
    found["configmaps"][0]["data"]["Corefile"] = corefile
    return found


def installed(given: Mapping[str, Any]) -> Installed:
    return Installed(NAMESPACE, {name: each if isinstance(each, str) else tuple(each) for name, each in given.items()})


class Api:
    """Lists these objects; a text in the place of a list is why it is refused."""

    def __init__(self, given: Mapping[str, Any], folder: Path) -> None:
        targets = {target.format(NAMESPACE): name for name, target in TARGETS.items()}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = given.get(targets.get(self.path, ""), "not found")
                refused = isinstance(found, str)
                octets = json.dumps({"message": found} if refused else {"items": found}).encode()
                self.send_response(403 if refused else 200)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.kubeconfig = folder / "kubeconfig"
        content = {
            "current-context": "a",
            "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
            "users": [{"name": "a", "user": {"token": "a"}}],
        }
        self.kubeconfig.write_text(json.dumps(content))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
