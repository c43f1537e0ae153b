"""Identity: one line for each cluster, known without asking anybody."""

from pathlib import Path

import pytest

from kdns.config.settings import ApiEndpoint, ClusterSource
from kdns.sources.api.identity import identity_of
from kdns.sources.errors import SourceError
from tests.sources.api.kubeconfigs import PEM, PEM_DATA, add_plugin, write

URL = "https://192.0.2.1:6443"


def of_endpoint(path: Path, url: str = URL) -> str:
    return identity_of(ClusterSource(endpoint=ApiEndpoint(url, authorities=str(path))), {})


def test_a_cluster_is_its_url_and_its_authorities(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    for path, text in ((one, "-----BEGIN A"), (same, "-----BEGIN A\n"), (other, "-----BEGIN B")):
        path.write_text(text)
    assert of_endpoint(one) == of_endpoint(same) == of_endpoint(one, f"{URL}/")
    assert len({of_endpoint(one), of_endpoint(other), of_endpoint(one, "https://192.0.2.2:6443")}) == 3
    assert of_endpoint(one).startswith(f"{URL} (")


def test_without_authorities_the_url_is_all() -> None:
    settings = ClusterSource(endpoint=ApiEndpoint("127.0.0.1:8080"))
    assert identity_of(settings, {}).startswith("http://127.0.0.1:8080 (")


def test_a_pods_needs_the_pods_certificate() -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}
    with pytest.raises(SourceError, match=r"serviceaccount/ca\.crt: .*, expected certificates in PEM"):
        identity_of(ClusterSource(), environment)
    with pytest.raises(SourceError, match="no pod"):
        identity_of(ClusterSource(), {})


def test_a_kubeconfigs_is_known_without_logging_in(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text(PEM)
    found = []
    for ca in ({"certificate-authority": "ca"}, {"certificate-authority-data": PEM_DATA}):
        path = write(tmp_path, add_plugin(tmp_path, "exit 1"), **ca)
        found.append(identity_of(ClusterSource(str(path)), {}))
    assert found[0] == found[1] == of_endpoint(tmp_path / "ca", "https://10.0.0.1:6443")
    assert not (tmp_path / "runs").exists()
