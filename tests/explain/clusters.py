"""Evidence for tests: a cluster as YAML or as deltas, and a zone."""

from collections.abc import Iterable

from kdns.cluster.compiler import Compiler
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import RESOURCES, Delta, Key, Reset, Synced
from kdns.config.settings import ReadSettings
from kdns.explain import explained
from kdns.explain.details import Details, details
from kdns.explain.evidence import Evidence
from kdns.explain.explanation import Explanation, Freshness, Path
from kdns.explain.path import of_namespace, question
from kdns.sources import documents
from kdns.sources.demand import demand_of
from kdns.sources.manifests import assemble, written
from kdns.zone.index import Index
from kdns.zone.schema import Zone
from tests.zone.clusters import zone

READING = ReadSettings(pods=True)


def compiled(deltas: Iterable[Delta], reading: ReadSettings = READING, *, synced: bool = True) -> Compiler:
    demand = demand_of(reading)
    compiler = Compiler(demand.compile, demand.required)
    ends = [Synced(resource) for resource in RESOURCES] if synced else []
    compiler.apply([*deltas, *ends], now=7)
    return compiler


def evidence_of(compiler: Compiler, *zones: Zone, reading: ReadSettings = READING) -> Evidence:
    index = Index()
    if compiler.revision:
        index.load(compiler.image())
    fresh = Freshness(revision=compiler.revision, serial=compiler.serial, stale=compiler.stale)
    return Evidence("a test", zones or (zone(),), index, compiler.store, fresh, reading)


def of_yaml(text: str, *zones: Zone, reading: ReadSettings = READING) -> Evidence:
    """Of manifests."""
    loaded = assemble(documents.read(text.encode(), "a.yaml"), DecodeOptions())
    compiler = compiled([Reset(name, loaded.objects[name]) for name in RESOURCES], reading)
    return evidence_of(compiler, *zones, reading=reading)


def details_of(text: str, key: Key) -> Details:
    found = written(documents.read(text.encode(), "a.yaml"))
    of = {kind: [each for each in found if each.kind == kind] for kind in ("Service", "EndpointSlice", "Pod")}
    service = next((each.value for each in of["Service"] if each.key == key), None)
    return details(service, [each.value for each in of["EndpointSlice"]], [each.value for each in of["Pod"]])


def explain(evidence: Evidence, name: str, rtype: int | None = None, path: Path | None = None) -> Explanation:
    return explained.explain(question(name, rtype, path or of_namespace("shop", "cluster.local")), evidence)
