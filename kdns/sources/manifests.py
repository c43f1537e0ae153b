"""Manifests: a cluster written in YAML, served as if an API server had said it.

Files are looked at ten times a second, by their stat. Not inotify: its watches stay with an
inode, so that editors' renames, the symbolic links of ConfigMap volumes, network mounts and
new folders each need their own care, and it exists on one system only; some hundred stats
cost less than a millisecond. A change is taken once it has stood still for a moment, so that
no half-written file is. What can't be read at the start ends the source; later the last good
state stays, and the error is told once.
Parsing happens in the controller's loop: no answer waits for it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from structlog.typing import FilteringBoundLogger

from kdns.cluster import decode
from kdns.cluster.counters import Counters
from kdns.cluster.decode import DecodeError, DecodeOptions
from kdns.cluster.objects import RESOURCES, Delta, Key, Object, Problem, Reset, Resource, Synced
from kdns.cluster.selection import ALL, Selector, matches
from kdns.config.settings import ManifestSource as ManifestSettings
from kdns.sources import documents, files
from kdns.sources.documents import Document
from kdns.sources.errors import SourceError
from kdns.sources.status import ResourceStatus
from kdns.sources.synthesis import KINDS, Found, complete

_LOOK_S: Final = 0.1
# Longer than the tick of a file system's clock, so that a second change within one tick is seen as well.
_STILL_S: Final = 0.02
_STILL_TRIES: Final = 50  # then a file that never stands still is read as it is

_GROUPS: Final = {"EndpointSlice": "discovery.k8s.io", "StatefulSet": "apps", "ServiceImport": "multicluster.x-k8s.io"}
_RESOURCES: Final[dict[str, Resource]] = {
    "Namespace": "namespaces",
    "Service": "services",
    "EndpointSlice": "endpointslices",
    "Pod": "pods",
    "ServiceImport": "serviceimports",
}
# What problems of a kind are problems of: those that are something else by the time they are served, too.
_PROBLEMS_OF: Final[dict[str, Resource]] = {**_RESOURCES, "Endpoints": "endpointslices", "StatefulSet": "pods"}


_ALL: Final[Mapping[Resource, Selector]] = {}


class Loaded(NamedTuple):
    """What the files say."""

    objects: dict[Resource, tuple[Object, ...]]
    made_up: frozenset[bytes]  # addresses, 4 or 16 octets each
    problems: tuple[Problem, ...]
    twice: tuple[tuple[Found, Found], ...]  # objects written twice: the one left out, and the one that counts
    ignored: dict[str, int]  # documents of other kinds


class ManifestSource:
    """Feeds what files say, and says it again when they change."""

    def __init__(
        self,
        settings: ManifestSettings,
        *,
        emit: Callable[[list[Delta]], None],
        report: Callable[[Problem], None],
        log: FilteringBoundLogger,
        decode_options: DecodeOptions = decode.PLAIN,
        selectors: Mapping[Resource, Selector] = _ALL,
    ) -> None:
        """Takes, among others, selectors: of such a resource, objects without these labels aren't there."""
        self._paths = settings.paths
        self._emit, self._report, self._log = emit, report, log
        self._options, self._selectors = decode_options, selectors
        self._read: dict[str, tuple[files.Stamp, list[Document]]] = {}
        self._served: dict[str, files.Stamp] | None = None  # how the files looked that are served
        self._said: set[Any] = set()  # problems and the like of the last load, so that each is told once
        self._fresh_s: float | None = None  # when the files were last seen to be what is served
        self._trouble: str | None = None
        self._resources = tuple(each for each in RESOURCES if each != "serviceimports" or decode_options.imports)
        self._counters: dict[Resource, Counters] = {name: Counters() for name in self._resources}
        self.made_up: frozenset[bytes] = frozenset()  # the addresses among those served that no file gives
        self.failures = 0  # changes that couldn't be taken

    async def run(self) -> None:
        """Loads, emits, and goes on doing so until cancelled. Raises SourceError if the first load fails."""
        tried = await self._still(files.look(self._paths))
        self._take(tried)
        while True:
            await asyncio.sleep(_LOOK_S)
            try:
                now = files.look(self._paths)
                if now != tried:
                    tried = await self._still(now)
                    self._take(tried)
                elif tried == self._served:
                    self._is_current()
            except SourceError as error:
                self._fail(str(error))

    def status(self) -> dict[Resource, ResourceStatus]:
        """How far each resource is: all alike but for their problems, since they come together."""
        synced = self._fresh_s is not None
        age_s = None if self._fresh_s is None else asyncio.get_running_loop().time() - self._fresh_s
        return {name: ResourceStatus(synced, age_s, self._trouble, self._counters[name]) for name in self._resources}

    def counts(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Nobody is asked."""
        return {}

    def written(self) -> tuple[Found, ...]:
        """The objects that are served, as the files have them."""
        return written([document for _, found in self._read.values() for document in found])

    async def _still(self, seen: dict[str, files.Stamp]) -> dict[str, files.Stamp]:
        """How the files look once they have looked the same for a moment."""
        for _ in range(_STILL_TRIES):
            await asyncio.sleep(_STILL_S)
            before, seen = seen, files.look(self._paths)
            if seen == before:
                break
        return seen

    def _take(self, seen: dict[str, files.Stamp]) -> None:
        """Reads what has changed and emits the whole. Raises SourceError with nothing emitted."""
        read = {path: self._documents(path, stamp) for path, stamp in seen.items()}
        loaded = assemble(
            [document for _, found in read.values() for document in found], self._options, self._selectors
        )
        self._read, self._served, self.made_up = read, seen, loaded.made_up
        self._tell(loaded, len(read))
        self._is_current()
        self._emit([delta for name in self._resources for delta in (Reset(name, loaded.objects[name]), Synced(name))])

    def _documents(self, path: str, stamp: files.Stamp) -> tuple[files.Stamp, list[Document]]:
        known = self._read.get(path)
        return known if known is not None and known[0] == stamp else (stamp, documents.read(files.read(path), path))

    def _tell(self, loaded: Loaded, count: int) -> None:
        """Says what was read, and of what is wrong with it all that wasn't said of the last load."""
        said: set[Any] = {*loaded.problems, *((new.key, old.place, new.place) for old, new in loaded.twice)}
        for problem in loaded.problems:
            if problem not in self._said:
                self._report(problem)
                self._counters[_PROBLEMS_OF[problem.kind]].count((problem,))
        for old, new in loaded.twice:
            if (new.key, old.place, new.place) not in self._said:
                names = {"kind": new.kind, "namespace": new.key.namespace, "name": new.key.name}
                self._log.warning("manifest_object_twice", **names, ignored=old.place, used=new.place)
        self._said = said
        ignored = " ".join(f"{kind}={number}" for kind, number in sorted(loaded.ignored.items()))
        sizes = {name: len(loaded.objects[name]) for name in self._resources}
        self._log.info("manifests_read", files=count, **sizes, made_up=len(loaded.made_up), ignored=ignored or "none")

    def _is_current(self) -> None:
        """What is served is what the files say now."""
        if self._trouble is not None:
            self._trouble = None
            self._log.info("manifests_readable")
        self._fresh_s = asyncio.get_running_loop().time()

    def _fail(self, trouble: str) -> None:
        """Keeps what is served, and says why, once."""
        if trouble != self._trouble:
            self.failures += 1
            self._trouble = trouble
            self._log.error("manifests_unreadable", reason=trouble, serving="the last good state")


def assemble(read: list[Document], options: DecodeOptions, selectors: Mapping[Resource, Selector] = _ALL) -> Loaded:
    """The objects that the documents say, and that a cluster would have added, as far as selectors take them."""
    gathered = _gathered(read, imports=options.imports)
    completed = complete(tuple(gathered.found.values()))
    taken = tuple(each for each in completed.objects if _is_taken(each, selectors))
    objects, problems = _decoded(taken, options)
    if matches(selectors.get("namespaces", ALL), {}):
        _add_namespaces(objects, gathered.mentioned, {key.name for kind, key in gathered.found if kind == "Namespace"})
    return Loaded(
        {name: tuple(objects[name].values()) for name in RESOURCES},
        completed.made_up,
        (*completed.problems, *problems),
        tuple(gathered.twice),
        gathered.ignored,
    )


def written(read: list[Document]) -> tuple[Found, ...]:
    """The objects as the documents have them, with all that a cluster would have added."""
    return complete(tuple(_gathered(read, imports=False).found.values())).objects


class _Gathered(NamedTuple):
    """The documents, sorted out."""

    found: dict[tuple[str, Key], Found]
    twice: list[tuple[Found, Found]]
    ignored: dict[str, int]
    mentioned: set[str]  # namespaces


def _gathered(read: list[Document], *, imports: bool) -> _Gathered:
    found: dict[tuple[str, Key], Found] = {}
    twice: list[tuple[Found, Found]] = []
    ignored: Counter[str] = Counter()
    mentioned: set[str] = set()
    for document in read:
        namespace = _namespace(document.value)
        if namespace:
            mentioned.add(namespace)
        kind = _kind(document.value)
        if kind not in KINDS or (kind == "ServiceImport" and not imports):
            ignored[kind] += 1
            continue
        new = _found(kind, document, namespace)
        if old := found.get((kind, new.key)):
            twice.append((old, new))
        found[kind, new.key] = new
    return _Gathered(found, twice, ignored, mentioned)


def _is_taken(found: Found, selectors: Mapping[Resource, Selector]) -> bool:
    """Whether the selector of its resource takes an object."""
    selector = selectors.get(_RESOURCES[found.kind], ALL)
    if not selector:
        return True
    labels = found.value["metadata"].get("labels")
    return matches(selector, labels if isinstance(labels, dict) else {})


def _kind(value: Any) -> str:
    """What a document is, with its group where that isn't the one known here."""
    if not isinstance(value, dict):
        return "no-object"
    kind, version = value.get("kind"), value.get("apiVersion")
    if not isinstance(kind, str):
        return "no-kind"
    group = version.rpartition("/")[0] if isinstance(version, str) else None
    return kind if group in {None, _GROUPS.get(kind, "")} else f"{kind}.{group}"


def _namespace(value: Any) -> str:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) else ""


def _found(kind: str, document: Document, namespace: str) -> Found:
    """The document as an object, in the namespace default where it names none."""
    value = document.value
    metadata = value.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    if kind == "Namespace":
        namespace = ""
    elif metadata.get("namespace") is None or metadata.get("namespace") == "":
        namespace = metadata["namespace"] = "default"
    name = metadata.get("name")
    return Found(
        kind, Key(namespace, name if isinstance(name, str) else ""), {**value, "metadata": metadata}, document.place
    )


def _decoded(
    found: tuple[Found, ...], options: DecodeOptions
) -> tuple[dict[Resource, dict[Key, Object]], list[Problem]]:
    objects: dict[Resource, dict[Key, Object]] = {resource: {} for resource in RESOURCES}
    problems: list[Problem] = []
    for each in found:
        resource = _RESOURCES[each.kind]
        try:
            made, complaints = decode.item(resource, msgspec.json.encode(each.value), options)
        except DecodeError as error:
            problems.append(Problem(each.kind, each.key, "", str(error), "an object", each.place))
            continue
        problems += [complaint._replace(place=each.place) for complaint in complaints]
        if made is not None:
            objects[resource][made.key] = made
    return objects, problems


def _add_namespaces(objects: dict[Resource, dict[Key, Object]], mentioned: set[str], written: set[str]) -> None:
    """The namespaces that objects name exist, without labels, where nobody wrote them down."""
    mentioned |= {made.key.namespace for resource in RESOURCES for made in objects[resource].values()}
    for name in sorted(mentioned - written - {""}):
        made, _ = decode.item("namespaces", msgspec.json.encode({"metadata": {"name": name}}))
        if made is not None:
            objects["namespaces"][made.key] = made


__all__ = ["Loaded", "ManifestSource", "assemble", "written"]
