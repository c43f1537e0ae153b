"""Which room does what a directive says: a step, or others. What is in neither isn't done by this version."""

from collections.abc import Mapping
from typing import Final

from kdns.config.declarations import Settings
from kdns.config.directives.autopath import Autopath
from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.loadbalance import Loadbalance
from kdns.config.directives.places import Bind, Root, Timeouts, Tls
from kdns.config.directives.probes import Health, Prometheus, Ready
from kdns.config.directives.replies import Bufsize
from kdns.config.directives.rewrite import Rewrite
from kdns.config.directives.template import Template
from kdns.config.directives.zonefiles import File, Transfer
from kdns.config.serving import Block
from kdns.config.table import name_of

# The module of steps that makes the step.
STEPS: Final[Mapping[type[Settings], str]] = {
    Cache: "cache",
    File: "file",
    Forward: "forward",
    Kubernetes: "kubernetes",
    Rewrite: "rewrite",
    Template: "template",
    Transfer: "transfer",
}

# Read by what listens, answers probes, or renders replies.
_ELSEWHERE: Final = (Autopath, Bind, Bufsize, Health, Loadbalance, Prometheus, Ready, Root, Timeouts, Tls)


def unserved(block: Block) -> list[str]:
    """The directives of a block that nothing does."""
    return [name_of(each) for each in block.settings if type(each) not in STEPS and not isinstance(each, _ELSEWHERE)]
