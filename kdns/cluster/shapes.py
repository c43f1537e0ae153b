"""Shapes: what of the API server's JSON is read at all, a struct each, and how it is read.

Fields that no shape names are skipped without becoming values. An object that doesn't fit
its shape is read again field by field: what doesn't fit is left out and complained of, the
rest stays, since one odd field must not take a Service out of the DNS. A null is a field
that isn't there, as in the API server's own decoder. Says nothing of what values mean.
Sources: the OpenAPI of v1, discovery.k8s.io/v1 and multicluster.x-k8s.io/v1alpha1; RFC 8259.
"""

from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType, field, inspect

Octets: TypeAlias = bytes | Raw
T = TypeVar("T")

_TEXT_LIMIT: Final = 80  # octets of a found value that a complaint quotes


class DecodeError(ValueError):
    """Octets that aren't what they should be; the message says where and what."""


class Complaint(NamedTuple):
    """What was left out of an object, and what should have stood there."""

    field: str  # a path such as spec.clusterIPs[1]
    found: str
    expected: str


class Shape(msgspec.Struct, gc=False):
    """A JSON object of which only the fields named are read."""


class Meta(Shape):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    version: str = field(name="resourceVersion", default="")


class LabelledMeta(Meta):
    labels: dict[str, str] = {}


class Headed(Shape):
    """Any object, of which only the metadata matters."""

    metadata: Meta


class Namespace(Shape):
    metadata: Meta = field(default_factory=Meta)


class LabelledNamespace(Shape):
    metadata: LabelledMeta = field(default_factory=LabelledMeta)


class Port(Shape):
    """Of a Service or an EndpointSlice."""

    port: int | None = None
    name: str | None = None
    protocol: str | None = None


class ServiceSpec(Shape):
    type: str = ""
    cluster_ip: str = field(name="clusterIP", default="")
    cluster_ips: list[str] = field(name="clusterIPs", default_factory=list)
    external_name: str = field(name="externalName", default="")
    ports: list[Port] = []


class Service(Shape):
    metadata: Meta = field(default_factory=Meta)
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class LabelledService(Service):
    metadata: LabelledMeta = field(default_factory=LabelledMeta)


class OutsideSpec(ServiceSpec):
    external_ips: list[str] = field(name="externalIPs", default_factory=list)


class Ingress(Shape):
    ip: str = ""
    hostname: str = ""


class LoadBalancer(Shape):
    ingress: list[Ingress] = []


class ServiceStatus(Shape):
    load_balancer: LoadBalancer = field(name="loadBalancer", default_factory=LoadBalancer)


class OutsideService(Service):
    spec: OutsideSpec = field(default_factory=OutsideSpec)
    status: ServiceStatus = field(default_factory=ServiceStatus)


class LabelledOutsideService(OutsideService):
    metadata: LabelledMeta = field(default_factory=LabelledMeta)


class SliceLabels(Shape):
    service: str = field(name="kubernetes.io/service-name", default="")


class SliceMeta(Meta):
    labels: SliceLabels = field(default_factory=SliceLabels)


class Conditions(Shape):
    ready: bool | None = None


class Endpoint(Shape):
    addresses: list[str] = []
    conditions: Conditions = field(default_factory=Conditions)
    hostname: str | None = None


class Target(Shape):
    kind: str = ""
    name: str = ""


class TargetedEndpoint(Endpoint):
    target: Target = field(name="targetRef", default_factory=Target)


class ZonedEndpoint(Endpoint):
    zone: str | None = None


class ZonedTargetedEndpoint(TargetedEndpoint):
    zone: str | None = None


class Slice(Shape):
    metadata: SliceMeta = field(default_factory=SliceMeta)
    family: str = field(name="addressType", default="")
    endpoints: list[Endpoint] | None = None
    ports: list[Port] | None = None


class TargetedSlice(Shape):
    metadata: SliceMeta = field(default_factory=SliceMeta)
    family: str = field(name="addressType", default="")
    endpoints: list[TargetedEndpoint] | None = None
    ports: list[Port] | None = None


class ZonedSlice(Shape):
    metadata: SliceMeta = field(default_factory=SliceMeta)
    family: str = field(name="addressType", default="")
    endpoints: list[ZonedEndpoint] | None = None
    ports: list[Port] | None = None


class ZonedTargetedSlice(Shape):
    metadata: SliceMeta = field(default_factory=SliceMeta)
    family: str = field(name="addressType", default="")
    endpoints: list[ZonedTargetedEndpoint] | None = None
    ports: list[Port] | None = None


class ImportedSliceLabels(SliceLabels):
    imported: str = field(name="multicluster.kubernetes.io/service-name", default="")
    cluster: str = field(name="multicluster.kubernetes.io/source-cluster", default="")


class ImportedSliceMeta(SliceMeta):
    labels: ImportedSliceLabels = field(default_factory=ImportedSliceLabels)


class ImportedSlice(Slice):
    metadata: ImportedSliceMeta = field(default_factory=ImportedSliceMeta)


class ImportedTargetedSlice(TargetedSlice):
    metadata: ImportedSliceMeta = field(default_factory=ImportedSliceMeta)


class ImportedZonedSlice(ZonedSlice):
    metadata: ImportedSliceMeta = field(default_factory=ImportedSliceMeta)


class ImportedZonedTargetedSlice(ZonedTargetedSlice):
    metadata: ImportedSliceMeta = field(default_factory=ImportedSliceMeta)


AnySlice: TypeAlias = Slice | TargetedSlice | ZonedSlice | ZonedTargetedSlice


class ServiceImportSpec(Shape):
    type: str = ""
    ips: list[str] | None = None
    ports: list[Port] | None = None


class ServiceImport(Shape):
    metadata: Meta = field(default_factory=Meta)
    spec: ServiceImportSpec = field(default_factory=ServiceImportSpec)


class PodIP(Shape):
    ip: str = ""


class PodStatus(Shape):
    phase: str = ""
    ip: str = field(name="podIP", default="")
    ips: list[PodIP] = field(name="podIPs", default_factory=list)


class Pod(Shape):
    metadata: Meta = field(default_factory=Meta)
    status: PodStatus = field(default_factory=PodStatus)


class TriggerAnnotations(Shape):
    time: str = field(name="endpoints.kubernetes.io/last-change-trigger-time", default="")


class TriggerMeta(Shape):
    annotations: TriggerAnnotations = field(default_factory=TriggerAnnotations)


class Triggered(Shape):
    """An EndpointSlice, of which only matters when its endpoints changed."""

    metadata: TriggerMeta = field(default_factory=TriggerMeta)


class ListMeta(Shape):
    version: str = field(name="resourceVersion", default="")
    token: str = field(name="continue", default="")
    remaining: int | None = field(name="remainingItemCount", default=None)


class List(Shape):
    """A list; items must be there, so that no error body is taken for a list of nothing."""

    items: list[Raw] | None
    metadata: ListMeta


class WatchEvent(Shape):
    type: str
    object: Raw


class MarkMeta(Shape):
    version: str = field(name="resourceVersion")
    annotations: dict[str, str] = {}


class Mark(Shape):
    """The object of a BOOKMARK event."""

    metadata: MarkMeta


class Cause(Shape):
    reason: str = ""


class StatusDetails(Shape):
    retry_after_s: float | None = field(name="retryAfterSeconds", default=None)
    causes: list[Cause] | None = None


class Status(Shape):
    kind: str = "Status"
    code: int = 0
    reason: str = ""
    message: str = ""
    details: StatusDetails | None = None


# What msgspec raises: its own errors, UnicodeDecodeError, and RecursionError for JSON nested about a thousand deep.
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Reader(Generic[T]):
    """Reads the octets of one shape; what says in messages what they should be."""

    __slots__ = ("_decode", "_shape", "_what")

    def __init__(self, shape: type[T], what: str) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._shape = shape
        self._what = what

    def strictly(self, octets: Octets) -> T:
        """The shape in the octets. Raises DecodeError where anything in them doesn't fit, and nothing else."""
        try:
            return self._decode(octets)
        except _UNREADABLE as error:
            raise self._error(error) from error

    def leniently(self, octets: Octets, complaints: list[Complaint]) -> T:
        """The shape in the octets without what doesn't fit, which is added to complaints.

        Raises DecodeError where they aren't one JSON object, and nothing else.
        """
        try:
            return self._decode(octets)
        except _UNREADABLE as error:
            mended: T | UnsetType = UNSET
            if isinstance(error, msgspec.ValidationError):
                # Looked into only now: it takes 0.2 ms, for what most objects never need.
                mended = _mended(octets, inspect.type_info(self._shape), "", complaints)
            if mended is UNSET:
                raise self._error(error) from error
            return mended

    def _error(self, error: Exception) -> DecodeError:
        return DecodeError(f"expected {self._what}: {error}")


# How each node of a shape is read on its own, and what it is called.
_FORMS: Final[dict[type[inspect.Type], tuple[Any, str]]] = {
    inspect.StructType: (dict[str, Raw], "an object"),
    inspect.DictType: (dict[str, Raw], "an object"),
    inspect.ListType: (list[Raw], "an array"),
    inspect.StrType: (str, "a string"),
    inspect.IntType: (int, "an integer"),
    inspect.BoolType: (bool, "true or false"),
}


def _mended(octets: Octets, expected: inspect.Type, path: str, complaints: list[Complaint]) -> Any:
    """The value in the octets without its parts that don't fit; UNSET where it is null or doesn't fit at all."""
    if isinstance(expected, inspect.UnionType):  # the only ones in shapes are "or None"
        expected = next(kind for kind in expected.types if not isinstance(kind, inspect.NoneType))
    if bytes(octets) == b"null":
        return UNSET
    form, wanted = _FORMS[type(expected)]
    try:
        value = msgspec.json.decode(octets, type=form)
    except _UNREADABLE:
        complaints.append(Complaint(path, quoted(bytes(octets)[:_TEXT_LIMIT].decode("utf-8", "replace"))[1:-1], wanted))
        return UNSET
    parts: dict[Any, tuple[Octets, inspect.Type, str]]  # what lies in the value, by where it goes
    if isinstance(expected, inspect.StructType):
        known = [each for each in expected.fields if each.encode_name in value]
        parts = {each.name: (value[each.encode_name], each.type, f"{path}.{each.encode_name}") for each in known}
    elif isinstance(expected, inspect.DictType):
        parts = {key: (raw, expected.value_type, f"{path}.{key}") for key, raw in value.items()}
    elif isinstance(expected, inspect.ListType):
        parts = {at: (raw, expected.item_type, f"{path}[{at}]") for at, raw in enumerate(value)}
    else:
        return value
    mended = {where: _mended(raw, kind, at.lstrip("."), complaints) for where, (raw, kind, at) in parts.items()}
    kept = {where: part for where, part in mended.items() if part is not UNSET}
    if isinstance(expected, inspect.StructType):
        return expected.cls(**kept)
    return kept if isinstance(expected, inspect.DictType) else list(kept.values())


def quoted(found: object) -> str:
    """A found value as a complaint shows it: printable ASCII, and short."""
    shown = ascii(found)
    return shown if len(shown) <= _TEXT_LIMIT else shown[:_TEXT_LIMIT] + "..."
