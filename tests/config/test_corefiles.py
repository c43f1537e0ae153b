"""Corefiles of real clusters, and those in the documents, are read without a problem."""

from pathlib import Path

import pytest

from kdns.config import keys
from kdns.config.keys import Key
from kdns.config.parser import Corefile
from kdns.dns import names
from tests.config.reading import read, said, texts
from tests.repository.documents import DOCUMENTS, blocks

FOLDER = Path(__file__).parent / "corefiles"
COREFILES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.Corefile"))}
ENVIRONMENT = {"DNS_PORT": "1053", "CACHE_TTL": "30"}

# Zones and port of every block, and the names of its directives.
SHAPES = {
    "aks": [
        (". 53", "errors ready health kubernetes prometheus forward cache loop reload loadbalance template template")
    ],
    "custom-zones": [
        (
            ". 1053",
            (
                "errors cache prometheus health ready rewrite rewrite rewrite kubernetes autopath hosts template acl"
                " forward loop reload loadbalance"
            ),
        ),
        ("internal.example. 1053", "errors cache prometheus forward log"),
    ],
    "eks": [(". 53", "errors health ready kubernetes prometheus forward cache loop reload loadbalance")],
    "k3s": [(". 53", "errors health ready kubernetes hosts prometheus forward cache loop reload loadbalance")],
    "kubeadm": [(". 53", "errors health ready kubernetes prometheus forward cache loop reload loadbalance")],
    "minikube": [(". 53", "log errors health ready kubernetes prometheus hosts forward cache loop reload loadbalance")],
    "nodelocal": [
        ("cluster.local. 53", "errors cache reload loop bind forward prometheus health"),
        ("in-addr.arpa. 53", "errors cache reload loop bind forward prometheus"),
        ("ip6.arpa. 53", "errors cache reload loop bind forward prometheus"),
        (". 53", "errors cache reload loop bind forward prometheus"),
    ],
    "openshift": [
        ("corp.example. 5353 partner.example. 5353", "forward errors log bufsize cache"),
        (". 5353", "bufsize errors log health ready kubernetes prometheus forward cache reload"),
        ("hostname.bind. 5353", "chaos"),
    ],
}


def shape(corefile: Corefile) -> list[tuple[str, str]]:
    parsed = [[keys.parse(key) for key in block.keys] for block in corefile.blocks]
    return [
        (
            " ".join(f"{names.to_text(zone)} {key.port}" for key in each if isinstance(key, Key) for zone in key.zones),
            " ".join(line.name.text for line in block.directives),
        )
        for each, block in zip(parsed, corefile.blocks, strict=True)
    ]


@pytest.mark.parametrize("name", COREFILES)
def test_a_corefile_of_a_real_cluster_is_read(name: str) -> None:
    corefile = read(COREFILES[name], {}, ENVIRONMENT)
    assert shape(corefile) == SHAPES[name]
    # Nothing but the patterns for an administrator's own files, which fit none.
    assert all("nothing is imported" in each for each in said(corefile))
    assert len(said(corefile)) == 2 * (name in {"aks", "k3s"})


def test_blocks_of_directives_are_read_to_their_depth() -> None:
    ((_, directives), _) = texts(read(COREFILES["custom-zones"], {}, ENVIRONMENT))
    start = directives.index("rewrite stop")
    assert directives[start : start + 3] == [
        "rewrite stop",
        [r"name regex (.*)\.apps\.example\.com {1}.shop.svc.cluster.local", "answer auto"],
        "rewrite name exact db.example.com postgres.data.svc.cluster.local",
    ]
    ((_, directives),) = texts(read(COREFILES["aks"]))
    assert directives[directives.index("template ANY ANY internal.cloudapp.net") + 1] == [
        r"match ^(?:[^.]+\.){4,}internal\.cloudapp\.net\.$",
        "rcode NXDOMAIN",
        "fallthrough",
    ]


def test_a_file_of_an_administrator_is_read_where_the_pattern_stands() -> None:
    path = "/etc/coredns/custom/a.override"
    corefile = read(COREFILES["k3s"], {path: "log\n", "/etc/coredns/custom/a.server": "a.example {\nwhoami\n}"})
    assert said(corefile) == []
    assert [names.split()[-1] for _, names in shape(corefile)] == ["log", "whoami"]


DOCUMENTED = [(path.name, block) for path in DOCUMENTS for block in blocks(path.read_text(), "corefile")]


def test_the_reference_shows_corefiles() -> None:
    assert "corefile.md" in {name for name, _ in DOCUMENTED}


@pytest.mark.parametrize(("name", "text"), DOCUMENTED)
def test_a_corefile_in_the_documents_is_read(name: str, text: str) -> None:
    corefile = read(text, {"custom/a.override": "log\n", "custom/a.server": "a {\n}\n"}, ENVIRONMENT)
    assert said(corefile) == []
    assert corefile.blocks
