"""A pod that a command is to look as: found in an API server or in manifests, or an error that names those that are near."""

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, Final

from kdns.cluster.objects import Key
from kdns.config.complaints import nearest_several
from kdns.config.settings import ClusterSource, SettingsError
from kdns.sources import documents, files, manifests
from kdns.sources.api.account import account_of
from kdns.sources.api.asking import Asking
from kdns.sources.errors import SourceError
from kdns.sources.synthesis import Found

_SHOWN: Final = 3
_READ_LIMIT_S: Final = 30.0
_ERROR, _POD = "error", "pod"


def key_of(text: str) -> Key:
    """Of NAMESPACE/POD. Raises SettingsError."""
    namespace, _, pod = text.partition("/")
    if not namespace or not pod or "/" in pod:
        raise SettingsError(f'--from: found "{text}", expected NAMESPACE/POD')
    return Key(namespace, pod)


def told(key: Key, source: ClusterSource | Sequence[str]) -> str:
    """The pod of a cluster, or of manifests' paths, or why there is none: a text for pod_of, from another process, say."""
    try:
        pod = asyncio.run(_asked(key, source)) if isinstance(source, ClusterSource) else _read(key, source)
    except SourceError as error:
        return json.dumps({_ERROR: str(error)})
    return json.dumps({_POD: pod})


def pod_of(text: str) -> Any:
    """What told has told. Raises SourceError."""
    found = json.loads(text or "{}")
    if _POD not in found:
        raise SourceError(found.get(_ERROR, f"the pod couldn't be read within {_READ_LIMIT_S:g} s"))
    return found[_POD]


async def _asked(key: Key, source: ClusterSource) -> Any:
    with closing(Asking(account_of(source, os.environ))) as asking:
        try:
            async with asyncio.timeout(_READ_LIMIT_S):
                return await of_server(key, asking)
        except TimeoutError as error:
            raise SourceError(f"pod {key.namespace}/{key.name} couldn't be read within {_READ_LIMIT_S:g} s") from error


def _read(key: Key, paths: Sequence[str]) -> Any:
    read = [document for path in files.look(paths) for document in documents.read(files.read(path), path)]
    return of_manifests(key, manifests.written(read))


async def of_server(key: Key, asking: Asking) -> Any:
    """The pod as an API server has it. Raises SourceError."""
    pod = await asking.one("pods", key)
    if pod is None:
        around = _keys(await asking.labelled("pods", key.namespace, {}))
        raise _missing(key, around or _keys(await asking.some("pods")), _keys(await asking.some("namespaces")))
    return pod


def of_manifests(key: Key, written: Iterable[Found]) -> Any:
    """The pod as manifests have it, one that a StatefulSet makes included. Raises SourceError."""
    found = tuple(written)
    pods = {each.key: each.value for each in found if each.kind == "Pod"}
    if key not in pods:
        raise _missing(key, pods, [each.key for each in found if each.kind == "Namespace"])
    return pods[key]


def _keys(items: Iterable[Any]) -> list[Key]:
    found = [each["metadata"] for each in items if isinstance(each, dict) and isinstance(each.get("metadata"), dict)]
    return [Key(str(each.get("namespace") or ""), str(each.get("name") or "")) for each in found]


def _missing(key: Key, pods: Iterable[Key], namespaces: Iterable[Key]) -> SourceError:
    """That it isn't there, and what may have been meant: in its namespace, in one spelt alike, or anywhere."""
    known = sorted(set(pods))
    spaces = sorted({each.name for each in namespaces} | {each.namespace for each in known})
    near = nearest_several(key.name, [each.name for each in known if each.namespace == key.namespace], _SHOWN)
    meant = [Key(key.namespace, name) for name in near]
    meant += [each for each in known if each.name == key.name]
    for space in nearest_several(key.namespace, [each for each in spaces if each != key.namespace], _SHOWN):
        names = [each.name for each in known if each.namespace == space]
        meant += [Key(space, name) for name in nearest_several(key.name, names, 1)]
    what = "found no such pod" if key.namespace in spaces else f"there is no namespace {key.namespace}"
    there = list(dict.fromkeys(meant)) or [each for each in known if each.namespace == key.namespace]
    listed = ", ".join(f"{each.namespace}/{each.name}" for each in there[:_SHOWN])
    hint = f"; did you mean {listed}?" if meant else f"; there is {listed}" if listed else ""
    return SourceError(f"--from {key.namespace}/{key.name}: {what}{hint}")
