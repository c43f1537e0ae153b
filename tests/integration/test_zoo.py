"""Every name of a made-up cluster of every kind of object, against the slow reference: at rest, and after a storm.

The reference is fed with what the API server itself lists. The generator is the lab's, in mode
zoo; its seeds differ in dozens of random Services.
"""

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.integration import listed
from tests.integration.asking import Ask, Asking
from tests.integration.comparison import ABROAD, everything, wrong_by_tcp, wrong_by_udp
from tests.integration.upstream import Upstream
from tests.lab import HOW_TO_RUN, ApiError, Lab, assets, seed_script
from tests.server import ZONE, Server, until
from tests.zone.reference import Reference, Setup

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(seed_script() is None, reason="needs the lab's generator; KDNS_LAB_SEED names it"),
]

CASES: Final = ((1, "insecure"), (2, "verified"), (3, "disabled"))  # seed, mode of pods
RANDOM_SERVICES: Final = 40
HTTP: Final = {"name": "http", "port": 80}


@contextmanager
def zoo(seed: int, folder: Path, services: int = RANDOM_SERVICES) -> Iterator[Lab]:
    """A cluster of its own: the generator's objects have the same names for every seed."""
    binaries = assets()
    if binaries is None:
        pytest.skip(HOW_TO_RUN)
    started = Lab(binaries, folder)
    try:
        started.start()
        started.seed("--mode", "zoo", "--seed", str(seed), "--services", str(services))
        yield started
    finally:
        started.close()


def reference_of(lab: Lab, pods: str) -> Reference:
    setup = Setup(fallthrough=("in-addr.arpa.", "ip6.arpa."), pods=pods, addresses=("127.0.0.1",))
    return Reference(listed.cluster(lab, pods=pods == "verified"), setup)


@pytest.mark.parametrize(("seed", "pods"), CASES)
def test_every_name_is_answered_as_the_reference_answers_it(seed: int, pods: str, tmp_path: Path) -> None:
    with zoo(seed, tmp_path) as lab, Upstream(ABROAD) as upstream:
        expected = everything(reference_of(lab, pods))
        assert len(expected) > 4000
        flags = ("--kubeconfig", str(lab.kubeconfig()), "--pods", pods)
        with Server(*flags, folder=tmp_path, upstream=upstream.address) as server:
            assert [*wrong_by_udp(server, expected), *wrong_by_tcp(server, expected)] == []
            assert server.metric("coredns_panics_total") == 0
        assert [asked for asked in upstream.asked if asked[1].endswith(".cluster.local.")] == []


def test_after_a_storm_of_changes_and_faults_every_name_is_right_again(tmp_path: Path) -> None:
    chance = random.Random(1)
    with zoo(4, tmp_path, services=10) as lab, Upstream(ABROAD) as upstream:
        steady = lab.request("GET", "/api/v1/namespaces/zoo/services/plain")["spec"]["clusterIP"]
        flags = ("--kubeconfig", str(lab.kubeconfig()), "--pods", "verified")
        with Server(*flags, folder=tmp_path, upstream=upstream.address, workers=2) as server:
            with Asking(server, Ask(f"plain.zoo.{ZONE}", "A", ({steady},))) as asking:
                for fault in faults(lab, server):
                    fault()
                    for _ in range(15):
                        with suppress(ApiError):
                            chance.choice(CHANGES)(lab, chance)
            expected = everything(reference_of(lab, "verified"))
            assert len(expected) > 4000
            until(lambda: not any(wrong_by_udp(server, expected)), within_s=60)
            assert [*wrong_by_tcp(server, expected)] == []
            assert (asking.wrong, server.metric("coredns_panics_total")) == ([], 0)
            assert asking.lost <= 1  # what a killed worker had in hand


def faults(lab: Lab, server: Server) -> list[Callable[[], object]]:
    """What befalls processes, each while changes are made."""
    return [
        lambda: server.send(signal.SIGKILL, "worker-0"),
        lab.restart,
        lambda: server.send(signal.SIGKILL, "controller"),
        lab.compact,
        lambda: server.send(signal.SIGSTOP, "controller"),
        lab.restart,
        lambda: server.send(signal.SIGCONT, "controller"),
    ]


# Changes: each of an object by chance, and some to nothing.


def one_of(lab: Lab, chance: random.Random, resource: str) -> tuple[str, str, listed.Json]:
    """Namespace, name and all of an object, but not of the one that is to stay."""
    found = [
        each for each in lab.request("GET", listed.PATHS[resource])["items"] if each["metadata"]["name"] != "plain"
    ]
    each = chance.choice(found)
    return each["metadata"]["namespace"], each["metadata"]["name"], each


def delete(resource: str) -> Callable[[Lab, random.Random], object]:
    return lambda lab, chance: lab.delete(resource, *one_of(lab, chance, resource)[:2])


def create_service(lab: Lab, chance: random.Random) -> None:
    target = f"fresh-{chance.randrange(9)}.zoo.{ZONE}"
    outside = {"type": "ExternalName", "externalName": chance.choice([target, "www.example.com"])}
    spec: dict[str, object] = chance.choice(
        [{}, {"clusterIP": "None"}, {"ipFamilyPolicy": "RequireDualStack"}, {**outside}]
    )
    namespace, name = chance.choice(["zoo", "x", "late"]), f"fresh-{chance.randrange(9)}"
    lab.create("services", namespace, name, spec={"ports": [HTTP], **spec})


def move_slice(lab: Lab, chance: random.Random) -> None:
    namespace, name, _ = one_of(lab, chance, "endpointslices")
    service = chance.choice([f"fresh-{chance.randrange(9)}", "headless", "same", None])
    lab.patch("endpointslices", namespace, name, {"metadata": {"labels": {listed.SERVICE_NAME: service}}})


def change_endpoints(lab: Lab, chance: random.Random) -> None:
    namespace, name, each = one_of(lab, chance, "endpointslices")
    endpoints = each["endpoints"] or []
    chance.shuffle(endpoints)
    for endpoint in endpoints:
        endpoint["conditions"] = {"ready": chance.random() < 0.7}
    lab.patch("endpointslices", namespace, name, {"endpoints": endpoints[: chance.randrange(len(endpoints) + 1)]})


def create_pod(lab: Lab, chance: random.Random) -> None:
    ip = f"10.140.0.{chance.randrange(9)}"
    status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
    lab.create(
        "pods", chance.choice(["zoo", "late"]), f"pod-{chance.randrange(9)}", spec={"containers": []}, status=status
    )


def toggle_namespace(lab: Lab, chance: random.Random) -> None:
    name = chance.choice(["x", "late", "zoo-2"])
    try:
        lab.create("namespaces", "", name)
    except ApiError:
        lab.delete("namespaces", "", name)


CHANGES: Final = (
    delete("services"),
    delete("endpointslices"),
    delete("pods"),
    create_service,
    create_service,
    move_slice,
    change_endpoints,
    change_endpoints,
    create_pod,
    toggle_namespace,
)
