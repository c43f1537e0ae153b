"""Services imported from other clusters, as zone-file text."""

import pytest

from kdns.dns.names import from_text
from kdns.zone.entry import (
    NAMESPACE_ENTRY,
    Kind,
    Port,
    Service,
    import_owner,
    namespace_owner,
    pack_service,
    pack_slice,
    service_owner,
    with_cluster,
)
from kdns.zone.index import Index
from kdns.zone.patch import Image
from tests.zone.clusters import names, packed, zone
from tests.zone.zonefile import ask, dedent

SET = from_text("clusterset.local")
ZONE = zone(origins=names("cluster.local", "clusterset.local"), imports=frozenset((SET,)))
HTTP = Port(80, b"http", b"tcp")
EAST, WEST, LONE = (
    with_cluster(pack_slice(4, (HTTP,), [(packed(address), name)]), cluster)
    for address, name, cluster in (
        ("10.1.0.1", b"db-0", b"east"),
        ("10.2.0.1", b"", b"west"),
        ("10.3.0.1", b"lone", b""),
    )
)
INDEX = Index()
INDEX.load(
    Image(
        1,
        1,
        {
            namespace_owner("shop"): NAMESPACE_ENTRY,
            import_owner("shop", "web"): pack_service(
                Service(Kind.CLUSTER_IP, v4=packed("10.9.0.1"), ports=(HTTP,), slices=(EAST,))
            ),
            import_owner("shop", "db"): pack_service(Service(Kind.HEADLESS, slices=(EAST, WEST, LONE))),
            service_owner("shop", "here"): pack_service(Service(Kind.CLUSTER_IP, v4=packed("10.0.0.1"))),
        },
    )
)
SOA = "clusterset.local. 5 SOA ns.dns.clusterset.local. hostmaster.clusterset.local. 1 7200 1800 86400 5"


def said(name: str, qtype: str = "A") -> str:
    return ask(INDEX, ZONE, f"{name}.svc.clusterset.local {qtype}")


def test_an_import_has_the_addresses_in_front_of_all_clusters() -> None:
    assert said("web.shop") == "NOERROR\nweb.shop.svc.clusterset.local. 5 A 10.9.0.1"
    assert said("_http._tcp.web.shop", "SRV") == dedent("""
        NOERROR
        _http._tcp.web.shop.svc.clusterset.local. 5 SRV 0 100 80 web.shop.svc.clusterset.local.
        ; additional
        web.shop.svc.clusterset.local. 5 A 10.9.0.1
        """)


def test_a_headless_import_has_the_endpoints_of_all_clusters() -> None:
    assert said("db.shop").splitlines()[1:] == [
        f"db.shop.svc.clusterset.local. 5 A {address}" for address in ("10.1.0.1", "10.2.0.1", "10.3.0.1")
    ]
    assert said("_http._tcp.db.shop", "SRV") == dedent("""
        NOERROR
        _http._tcp.db.shop.svc.clusterset.local. 5 SRV 0 33 80 db-0.east.db.shop.svc.clusterset.local.
        _http._tcp.db.shop.svc.clusterset.local. 5 SRV 0 33 80 10-2-0-1.west.db.shop.svc.clusterset.local.
        _http._tcp.db.shop.svc.clusterset.local. 5 SRV 0 33 80 lone.db.shop.svc.clusterset.local.
        ; additional
        db-0.east.db.shop.svc.clusterset.local. 5 A 10.1.0.1
        10-2-0-1.west.db.shop.svc.clusterset.local. 5 A 10.2.0.1
        lone.db.shop.svc.clusterset.local. 5 A 10.3.0.1
        """)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("db-0.east.db.shop", "10.1.0.1"),
        ("10-2-0-1.west.db.shop", "10.2.0.1"),
        ("lone.db.shop", "10.3.0.1"),
        ("db-0.east.web.shop", "10.1.0.1"),
    ],
)
def test_an_endpoint_is_named_with_its_cluster(name: str, address: str) -> None:
    assert said(name) == f"NOERROR\n{name}.svc.clusterset.local. 5 A {address}"


@pytest.mark.parametrize(
    "name", ["db-0.db.shop", "db-0.west.db.shop", "http.tcp.db.shop", "here.shop", "x.y.z.db.shop"]
)
def test_what_was_not_imported_is_not_there(name: str) -> None:
    assert said(name) == f"NXDOMAIN\n; authority\n{SOA}"


@pytest.mark.parametrize("name", ["east.db.shop", "_tcp.db.shop", "shop"])
def test_names_above_others_are_there(name: str) -> None:
    assert said(name) == f"NOERROR\n; authority\n{SOA}"


def test_imports_are_not_in_the_cluster_s_own_zone() -> None:
    assert ask(INDEX, ZONE, "web.shop.svc.cluster.local A").startswith("NXDOMAIN")
    assert ask(INDEX, ZONE, "here.shop.svc.cluster.local A").startswith("NOERROR\nhere")
