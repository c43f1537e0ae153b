"""Which room does what a directive says: a step, or others. What is in neither isn't done by this version."""

from collections.abc import Mapping
from typing import Final

from kdns.config.declarations import Settings
from kdns.config.directives.acl import Acl
from kdns.config.directives.autopath import Autopath
from kdns.config.directives.bare import Any, Debug, Loop, Minimal, Whoami
from kdns.config.directives.cache import Cache
from kdns.config.directives.dns64 import Dns64
from kdns.config.directives.errors import Errors
from kdns.config.directives.forward import Forward
from kdns.config.directives.hosts import Hosts
from kdns.config.directives.k8s_external import K8sExternal
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.local import Local
from kdns.config.directives.log import Log
from kdns.config.directives.places import Bind, Cancel, Root, Timeouts, Tls
from kdns.config.directives.probes import Health, Prometheus, Ready
from kdns.config.directives.reload import Reload
from kdns.config.directives.replies import Bufsize, Chaos, Header, Nsid
from kdns.config.directives.rewrite import Rewrite
from kdns.config.directives.searchpath import Searchpath
from kdns.config.directives.template import Template
from kdns.config.directives.view import Metadata, View
from kdns.config.directives.zonefiles import File, Transfer
from kdns.config.forwarding import Forwarding
from kdns.config.serving import Block
from kdns.config.table import name_of

# The module of steps that makes the step.
STEPS: Final[Mapping[type[Settings], str]] = {
    Acl: "acl",
    Any: "any",
    Autopath: "autopath",
    Cache: "cache",
    File: "file",
    Cancel: "cancel",
    Chaos: "chaos",
    Dns64: "dns64",
    Forward: "forward",
    Forwarding: "forwarding",
    Hosts: "hosts",
    K8sExternal: "k8s_external",
    Kubernetes: "kubernetes",
    Loadbalance: "loadbalance",
    Local: "local",
    Loop: "loop",
    Rewrite: "rewrite",
    Searchpath: "searchpath",
    Template: "template",
    Transfer: "transfer",
    Whoami: "whoami",
}

# Read by what listens, answers probes, renders replies, or writes lines.
_ELSEWHERE: Final = (
    *(Bind, Bufsize, Debug, Errors, Header, Health, Log, Metadata, Minimal, Nsid, Prometheus, Ready, Reload, Root),
    *(Timeouts, Tls, View),
)
_KNOWN: Final = frozenset((*STEPS, *_ELSEWHERE))


def unserved(block: Block) -> list[str]:
    """The directives of a block that nothing does."""
    return [name_of(each) for each in block.settings if type(each) not in _KNOWN]
