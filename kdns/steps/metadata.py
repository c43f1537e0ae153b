"""metadata: labels that say something of a question, for log lines and the conditions of views.

There are those that follow from name and configuration: view/name, and what a name in the cluster's zones denotes, as CoreDNS'
kubernetes names it. log/class and log/type are steps.lineformat's, labels that a step finds out are noted with the question.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from kdns.config.declarations import Settings
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.view import Metadata, View
from kdns.dns import summary
from kdns.dns.names import Name, is_below
from kdns.dns.names import labels_of as labels_in

_Values: TypeAlias = Mapping[str, str]

_POD_OR_SVC: Final = (b"pod", b"svc")
_PARTS: Final = ("port-name", "protocol", "endpoint", "service", "namespace", "kind")
_WRONG: Final[_Values] = {"kubernetes/parse-error": "invalid query name"}


class BlockLabels:
    """What a server block knows of questions for names in these zones."""

    __slots__ = ("_cluster", "_fixed", "_zones")

    def __init__(self, zones: tuple[Name, ...], fixed: _Values, cluster: tuple[Name, ...]) -> None:
        self._zones = zones
        self._fixed = fixed
        self._cluster = tuple(sorted(cluster, key=len, reverse=True))

    def value(self, label: str, name: Name) -> str | None:
        """What a label says of questions for a folded name; None if it says nothing, which isn't the same as empty."""
        if not any(is_below(name, zone) for zone in self._zones):
            return None
        found = self._fixed.get(label)
        if found is None and label.startswith("kubernetes/"):
            zone = next((each for each in self._cluster if is_below(name, each)), None)
            found = None if zone is None else _denoted(name, zone).get(label)
        return found


def labels_of(settings: Sequence[Settings]) -> BlockLabels | None:
    """The labels of a server block's directives; None without metadata, since nobody gathers any then."""
    metadata = next((each for each in settings if isinstance(each, Metadata)), None)
    if metadata is None:
        return None
    view = next((each for each in settings if isinstance(each, View)), None)
    fixed = {} if view is None else {"view/name": str(view.name)}
    cluster = tuple(zone for each in settings if isinstance(each, Kubernetes) for zone in each.zones)
    return BlockLabels(metadata.zones, fixed, cluster)


def _denoted(name: Name, zone: Name) -> _Values:
    """The parts of a name below the cluster's zone: port.protocol.service.namespace.kind or endpoint.service.namespace.kind."""
    labels = list(labels_in(name[: len(name) - len(zone)] + b"\0"))
    values = dict.fromkeys((f"kubernetes/{part}" for part in _PARTS), "")
    if labels in ([], [b"svc"], [b"pod"]):
        return values
    if labels[-1] not in _POD_OR_SVC or len(labels) > 5:
        return _WRONG
    texts = [summary.name_text(bytes((len(label),)) + label + b"\0")[:-1] for label in reversed(labels)]
    for part, text in zip(("kind", "namespace", "service"), texts, strict=False):
        values[f"kubernetes/{part}"] = text
    if len(texts) == 4:
        values["kubernetes/endpoint"] = texts[3]
    elif len(texts) == 5:
        values["kubernetes/protocol"], values["kubernetes/port-name"] = (
            text.removeprefix("_") for text in (texts[3], texts[4])
        )
    return values
