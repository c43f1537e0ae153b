"""Manifests as a source: real files in a real loop; what is emitted, kept, told, and when."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import (
    RESOURCES,
    Delta,
    EndpointSlice,
    Import,
    Key,
    Problem,
    Reset,
    Resource,
    ServiceImport,
    Stamp,
    Synced,
)
from kdns.config.settings import ManifestSource as ManifestSettings
from kdns.sources.documents import Document
from kdns.sources.errors import SourceError
from kdns.sources.manifests import ManifestSource, assemble

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
WAIT_S: Final = 20.0


class Fed:
    """A source that runs, and what came of it."""

    def __init__(self, *paths: Path | str) -> None:
        self.batches: asyncio.Queue[list[Delta]] = asyncio.Queue()
        self.problems: list[Problem] = []
        self.lines: list[dict[str, Any]] = []
        self.told, self.well = asyncio.Event(), asyncio.Event()
        log = structlog.wrap_logger(
            None, processors=[self._keep], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
        self.source = ManifestSource(
            ManifestSettings(tuple(map(str, paths))), emit=self.batches.put_nowait, report=self.problems.append, log=log
        )

    def _keep(self, _logger: object, level: str, event: Any) -> Any:
        self.lines.append({**event, "level": level})
        if level == "error":
            self.told.set()
        if event["event"] == "manifests_readable":
            self.well.set()
        raise structlog.DropEvent

    async def next(self) -> dict[Resource, list[str]]:
        """The objects of the next batch, as NAMESPACE/NAME."""
        batch = await asyncio.wait_for(self.batches.get(), WAIT_S)
        return {
            delta.resource: ["/".join(each.key).lstrip("/") for each in delta.objects]
            for delta in batch
            if isinstance(delta, Reset)
        }

    async def error(self) -> str:
        """The next error that is logged."""
        await asyncio.wait_for(self.told.wait(), WAIT_S)
        self.told.clear()
        return next(str(line["reason"]) for line in reversed(self.lines) if line["level"] == "error")


@asynccontextmanager
async def fed(*paths: Path | str) -> AsyncIterator[Fed]:
    made = Fed(*paths)
    task = asyncio.ensure_future(made.source.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait([task])


def service(name: str, rest: str = "", spec: str = "{clusterIP: 10.96.0.5}") -> str:
    return f"---\nkind: Service\nmetadata: {{name: {name}{rest}}}\nspec: {spec}\n"


def loaded(*paths: Path | str) -> Fed:
    """A source after its first load."""

    async def scene() -> Fed:
        async with fed(*paths) as made:
            made.batches.put_nowait(await asyncio.wait_for(made.batches.get(), WAIT_S))
            return made

    return asyncio.run(scene())


def names(made: Fed, resource: Resource) -> list[str]:
    batch = made.batches.get_nowait()
    made.batches.put_nowait(batch)
    return [
        "/".join(each.key).lstrip("/")
        for d in batch
        if isinstance(d, Reset) and d.resource == resource
        for each in d.objects
    ]


def test_the_examples_load_without_problems() -> None:
    made = loaded(EXAMPLES)
    assert made.problems == []
    assert [line["level"] for line in made.lines] == ["info"]
    assert names(made, "services") == [
        *("shop/db", "shop/db-read", "edge/gateway", "shop/mail", "shop/search", "office/printer", "edge/cache"),
        *("default/kubernetes", "kube-system/kube-dns", "shop/web"),
    ]


def test_each_resource_is_reset_then_synced_in_one_batch(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    batch = loaded(tmp_path).batches.get_nowait()
    assert [(type(delta), delta.resource) for delta in batch] == [
        (kind, name) for name in RESOURCES if name != "serviceimports" for kind in (Reset, Synced)
    ]


def test_service_imports_are_read_where_they_are_asked_for_and_counted_as_ignored_elsewhere() -> None:
    version = "multicluster.x-k8s.io/v1alpha1"
    labels = {"multicluster.kubernetes.io/service-name": "web", "multicluster.kubernetes.io/source-cluster": "east"}
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop"}
    spec = {"type": "ClusterSetIP", "ips": ["10.9.0.1"]}
    read = [
        Document({"kind": "ServiceImport", "apiVersion": version, "metadata": metadata, "spec": spec}, "f:1"),
        Document({"kind": "EndpointSlice", "metadata": {**metadata, "labels": labels}, "addressType": "IPv4"}, "f:2"),
    ]
    found = assemble(read, DecodeOptions(imports=True))
    key, stamp = Key("shop", "web"), Stamp("", "")
    assert found.objects["serviceimports"] == (ServiceImport(key, stamp, (bytes((10, 9, 0, 1)),)),)
    assert [each.imported for each in found.objects["endpointslices"] if isinstance(each, EndpointSlice)] == [
        Import("web", "east")
    ]
    unasked = assemble(read, DecodeOptions())
    assert (unasked.objects["serviceimports"], unasked.ignored) == ((), {"ServiceImport": 1})


def test_a_namespace_that_is_mentioned_exists(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        service("web") + "---\n{kind: Namespace, metadata: {name: own}}\n"
        "---\n{kind: ConfigMap, metadata: {name: a, namespace: by-another-kind}}\n"
        "---\n{kind: ConfigMap, metadata: {name: a, namespace: No-Label}}\n"
    )
    assert sorted(names(loaded(tmp_path), "namespaces")) == ["by-another-kind", "default", "own"]


def test_other_kinds_are_ignored_with_a_count(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: Deployment\n---\nkind: ConfigMap\n---\nkind: ConfigMap\n---\njust text\n---\nkey: value\n"
        "---\n{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}\n"
    )
    (line,) = loaded(tmp_path).lines
    assert line["event"] == "manifests_read"
    assert line["ignored"] == "ConfigMap=2 Deployment=1 Service.serving.knative.dev=1 no-kind=1 no-object=1"


def test_a_problem_says_of_which_object_and_where_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service("web") + service("api", ", namespace: shop", "{clusterIP: 10.0.0}"))
    assert loaded(path).problems == [
        Problem("Service", ("shop", "api"), "spec.clusterIP", "'10.0.0'", "an IPv4 or IPv6 address", f"{path}:6")  # type: ignore[arg-type]  # a Key is a tuple
    ]


def test_of_an_object_written_twice_the_later_counts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("web"))
    (tmp_path / "b.yaml").write_text(service("web", ", namespace: default", "{clusterIP: 10.96.0.6}"))
    made = loaded(tmp_path)
    warning = next(line for line in made.lines if line["level"] == "warning")
    assert (warning["event"], warning["namespace"], warning["name"]) == ("manifest_object_twice", "default", "web")
    assert (warning["ignored"], warning["used"]) == (f"{tmp_path}/a.yaml:2", f"{tmp_path}/b.yaml:2")
    assert names(made, "services") == ["default/web"]


@pytest.mark.parametrize("text", ["a: b: c", "kind: [", "\tkind: Service"])
def test_a_file_that_is_no_yaml_ends_the_source_at_its_start(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(SourceError, match=rf"^{tmp_path}/a\.yaml:\d+:\d+: found .*, expected "):
        asyncio.run(Fed(tmp_path).source.run())


def test_a_missing_path_ends_the_source_at_its_start(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found no such file or directory"):
        asyncio.run(Fed(tmp_path / "none").source.run())


def test_nothing_is_synced_before_the_first_load(tmp_path: Path) -> None:
    async def scene() -> bool:
        return any(status.synced for status in Fed(tmp_path).source.status().values())

    assert not asyncio.run(scene())


def test_a_changed_a_new_and_a_removed_file_take_effect(tmp_path: Path) -> None:
    async def scene() -> list[list[str]]:
        (tmp_path / "a.yaml").write_text(service("one"))
        seen = []
        async with fed(tmp_path) as made:
            seen.append((await made.next())["services"])
            (tmp_path / "a.yaml").write_text(service("two"))  # as many octets
            seen.append((await made.next())["services"])
            (tmp_path / "folder").mkdir()
            (tmp_path / "folder" / "b.yaml").write_text(service("three"))
            seen.append((await made.next())["services"])
            (tmp_path / "a.yaml").unlink()
            seen.append((await made.next())["services"])
        return seen

    assert asyncio.run(scene()) == [
        ["default/one"],
        ["default/two"],
        ["default/two", "default/three"],
        ["default/three"],
    ]


def test_a_config_map_volume_takes_effect_when_its_link_is_swapped(tmp_path: Path) -> None:
    async def scene() -> list[list[str]]:
        for version, name in (("..v1", "one"), ("..v2", "two")):
            (tmp_path / version).mkdir()
            (tmp_path / version / "a.yaml").write_text(service(name))
        (tmp_path / "..data").symlink_to("..v1")
        (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
        async with fed(tmp_path) as made:
            before = (await made.next())["services"]
            (tmp_path / "..next").symlink_to("..v2")
            (tmp_path / "..next").replace(tmp_path / "..data")
            return [before, (await made.next())["services"]]

    assert asyncio.run(scene()) == [["default/one"], ["default/two"]]


def test_a_change_that_cant_be_read_keeps_the_last_good_state_until_it_is_mended(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "a.yaml"
        path.write_text(service("one"))
        async with fed(path) as made:
            await made.next()
            path.write_text("a: b: c")
            assert (
                await made.error()
                == f"{path}:1:5: found ': c', expected other YAML (mapping values are not allowed in this context)"
            )
            assert made.batches.empty()
            assert (made.source.status()["services"].synced, made.source.failures) == (True, 1)
            assert str(made.source.status()["services"].trouble).startswith(f"{path}:1:5")
            path.write_text(service("two"))
            assert (await made.next())["services"] == ["default/two"]
            assert made.source.status()["services"].trouble is None

    asyncio.run(scene())


def test_a_file_that_goes_and_comes_back_as_it_was_leaves_no_trouble(tmp_path: Path) -> None:
    async def scene() -> None:
        path, aside = tmp_path / "a.yaml", tmp_path / "aside"
        path.write_text(service("one"))
        async with fed(path) as made:
            await made.next()
            path.rename(aside)
            assert "found no such file or directory" in await made.error()
            aside.rename(path)
            await asyncio.wait_for(made.well.wait(), WAIT_S)
            assert made.source.status()["services"].trouble is None
            assert made.batches.empty()

    asyncio.run(scene())


def test_a_problem_is_reported_once_while_it_lasts(tmp_path: Path) -> None:
    async def scene() -> list[str]:
        path = tmp_path / "b.yaml"
        (tmp_path / "a.yaml").write_text(service("web", spec="{clusterIP: wrong}"))
        async with fed(tmp_path) as made:
            await made.next()
            path.write_text(service("api", spec="{clusterIP: bad}"))
            await made.next()
            return [problem.found for problem in made.problems]

    assert asyncio.run(scene()) == ["'wrong'", "'bad'"]


def test_standard_input_is_read_from_its_beginning_each_time(tmp_path: Path) -> None:
    (tmp_path / "in").write_text(service("web"))
    kept = os.dup(0)
    try:
        with (tmp_path / "in").open() as file:
            os.dup2(file.fileno(), 0)
            assert [names(loaded("-"), "services") for _ in range(2)] == [["default/web"], ["default/web"]]
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_problems_are_counted_by_resource_kind_and_field_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        service("odd", spec="{clusterIP: nonsense}")
        + "---\nkind: Endpoints\nmetadata: {name: a}\nsubsets: [{addresses: [{ip: nonsense}]}]\n"
        "---\nkind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: b}\nspec: {serviceName: odd, replicas: many}\n"
    )

    async def scene() -> dict[Resource, dict[tuple[str, str], int]]:
        async with fed(tmp_path) as made:
            await made.next()
            return {name: dict(each.counters.problems) for name, each in made.source.status().items()}

    assert asyncio.run(scene()) == {
        "namespaces": {},
        "services": {("Service", "spec.clusterIP"): 1},
        "endpointslices": {("Endpoints", "subsets[].addresses[].ip"): 1},
        "pods": {("StatefulSet", "spec.replicas"): 1},
    }
