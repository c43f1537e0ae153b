"""Audits and restored backups with a real API server: what was lost on the way is found, mended and counted."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.asking import Ask, Asking
from tests.integration.lossy import LossyProxy
from tests.lab import HOW_TO_RUN, Lab, assets
from tests.server import ZONE, Server, until

pytestmark = pytest.mark.lab

STEADY = f"steady.audit.{ZONE}"
ALWAYS = Ask(STEADY, "A", ({"10.98.1.1"},))


@pytest.fixture
def lab_of_its_own(tmp_path: Path) -> Iterator[Lab]:
    """A lab that may be wound back."""
    binaries = assets()
    if binaries is None:
        pytest.skip(HOW_TO_RUN)
    made = Lab(binaries, tmp_path)
    try:
        made.start()
        made.create("namespaces", "", "audit")
        put(made, "steady", "10.98.1.1")
        yield made
    finally:
        made.close()


def put(lab: Lab, name: str, ip: str) -> None:
    lab.create("services", "audit", name, spec={"clusterIP": ip, "ports": [{"name": "http", "port": 80}]})


def through(lab: Lab, proxy: LossyProxy) -> Path:
    """A kubeconfig that leads to the proxy."""
    content = json.loads(lab.kubeconfig().read_text())
    content["clusters"][0]["cluster"] = {"server": proxy.url}
    path = lab.folder / "through"
    path.write_text(json.dumps(content))
    return path


def digest(server: Server) -> float:
    return server.metric('kdns_store_digest{resource="services"}')


def repairs(server: Server, kind: str) -> float:
    return server.metric(f'kdns_audit_repairs_total{{resource="services",kind="{kind}"}}')


def test_fifty_lost_events_are_mended_by_the_next_audit(lab_of_its_own: Lab, tmp_path: Path) -> None:
    lab = lab_of_its_own
    for number in range(30):
        put(lab, f"s{number}", f"10.98.2.{number + 1}")
    (tmp_path / "other").mkdir()
    with (
        LossyProxy(lab) as proxy,
        Server("--kubeconfig", str(lab.kubeconfig()), folder=tmp_path / "other") as other,
        Server("--kubeconfig", str(through(lab, proxy)), "--audit-interval", "20", folder=tmp_path) as server,
        Asking(server, ALWAYS) as asking,
    ):
        proxy.losing = True
        for number in range(20):
            put(lab, f"new{number}", f"10.98.3.{number + 1}")
            patch = {"spec": {"ports": [{"name": "other", "port": 81}]}}
            lab.patch("services", "audit", f"s{number}", patch)
        for number in range(20, 30):
            lab.delete("services", "audit", f"s{number}")
        until(lambda: proxy.lost >= 50)
        proxy.losing = False
        assert server.said(f"s29.audit.{ZONE}") == {"10.98.2.30"}
        assert server.said(f"new0.audit.{ZONE}") == {"NXDOMAIN"}
        until(lambda: repairs(server, "gone") == 10, within_s=60)
        assert (repairs(server, "missing"), repairs(server, "outdated")) == (20, 20)
        for number in range(20):
            assert server.said(f"new{number}.audit.{ZONE}") == {f"10.98.3.{number + 1}"}
            assert server.said(f"_other._tcp.s{number}.audit.{ZONE}", "A") == {f"10.98.2.{number + 1}"}
        assert server.said(f"s29.audit.{ZONE}") == {"NXDOMAIN"}
        assert server.metric('kdns_relists_total{resource="services"}') == 0
        assert digest(server) == digest(other) != 0
    asking.check()


def test_where_nothing_is_lost_audits_mend_nothing(lab_of_its_own: Lab, tmp_path: Path) -> None:
    lab = lab_of_its_own
    flags = ("--kubeconfig", str(lab.kubeconfig()), "--audit-interval", "10", "--pods", "verified")
    with Server(*flags, folder=tmp_path) as server, Asking(server, ALWAYS) as asking:
        number = 0

        def busy() -> bool:
            nonlocal number
            number += 1
            put(lab, f"busy{number}", f"10.98.{4 + number // 200}.{number % 200 + 1}")
            if number > 50:
                lab.delete("services", "audit", f"busy{number - 50}")
            return server.metric('kdns_audits_total{resource="services",outcome="done"}') >= 3

        until(busy, within_s=90)
        assert [repairs(server, kind) for kind in ("missing", "outdated", "gone")] == [0, 0, 0]
        assert server.metric('kdns_audits_total{resource="services",outcome="failed"}') == 0
        assert server.metric('kdns_audits_total{resource="pods",outcome="done"}') >= 1
        assert server.metric('kdns_audit_age_seconds{resource="services"}') < 30
    asking.check()


def test_an_etcd_restored_from_a_backup_is_listed_anew(lab_of_its_own: Lab, tmp_path: Path) -> None:
    lab = lab_of_its_own
    put(lab, "before", "10.98.1.2")
    lab.close()
    shutil.copytree(lab.folder / "etcd", lab.folder / "backup")
    lab.start()
    put(lab, "after", "10.98.1.3")
    lab.delete("services", "audit", "before")
    (tmp_path / "kdns").mkdir()
    config = str(lab.kubeconfig())
    with Server("--kubeconfig", config, folder=tmp_path / "kdns") as server, Asking(server, ALWAYS) as asking:
        assert server.said(f"after.audit.{ZONE}") == {"10.98.1.3"}
        lab.close()
        shutil.rmtree(lab.folder / "etcd")
        (lab.folder / "backup").rename(lab.folder / "etcd")
        lab.start()
        until(lambda: server.said(f"before.audit.{ZONE}") == {"10.98.1.2"}, within_s=60)
        assert server.said(f"after.audit.{ZONE}") == {"NXDOMAIN"}
        assert server.metric('kdns_history_resets_total{resource="services"}') >= 1
    asking.check()
