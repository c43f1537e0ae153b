"""Defaults, and the words that flags choose from: plain values, which help names without importing what reads them."""

from typing import Final, Literal, TypeAlias, get_args

DNS_PORT: Final = 53
HEALTH_PORT: Final = 8080
READY_PORT: Final = 8181
METRICS_PORT: Final = 9153
ZONE: Final = "cluster.local"
TTL_S: Final = 5
PodsMode: TypeAlias = Literal["disabled", "insecure", "verified"]
PODS: Final[tuple[PodsMode, ...]] = get_args(PodsMode)
PODS_DEFAULT: Final[PodsMode] = "insecure"
AUDIT_S: Final = 600.0  # between two comparisons of what is known with what is there
# Where a pod may have a volume for the snapshot.
STATE_FOLDER: Final = "/var/lib/kdns"
LEVELS: Final = ("debug", "info", "warning", "error")
YES, NO = "yes", "no"
# Of kdns dev: not mDNS' 5353; loopback alone, so that nobody else is answered.
DEV_LISTEN: Final = "127.0.0.1:5354"
KUBECONFIG: Final = "~/.kube/config"  # as kubectl has it
