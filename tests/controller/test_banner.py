"""The banner: what a person reads when manifests are served."""

from kdns.cluster.objects import Key, Service, Stamp
from kdns.config.settings import Address
from kdns.controller.banner import Served, serving_lines
from kdns.dns import names
from kdns.zone.entry import Port, pack_slice

ORIGIN = names.from_text("cluster.local")
LOCAL = Address("127.0.0.1", 1053)
NEW = Stamp("", "")
HTTP, SQL = Port(80, b"http", b"tcp"), Port(5432, b"sql", b"tcp")
ONE, TWO, THREE, FOUR = (bytes((10, 244, 0, last)) for last in (1, 2, 3, 4))
V6 = bytes((0xFD, *bytes(14), 1))

WEB = Served(Service(Key("shop", "web"), NEW, (bytes((10, 96, 0, 1)), V6), ports=(HTTP, Port(443, b"", b"udp"))))
MAIL = Served(Service(Key("shop", "mail"), NEW, external_name="smtp.example.com"))
EMPTY = Served(Service(Key("shop", "db"), NEW, headless=True, ports=(SQL,)))


def lines(*served: Served, listen: Address = LOCAL, made_up: tuple[bytes, ...] = ()) -> list[str]:
    return serving_lines(served, origin=ORIGIN, listen=listen, made_up=made_up)


def test_services_are_listed_by_name_with_what_to_try() -> None:
    assert lines(WEB, MAIL, EMPTY, made_up=(V6,)) == [
        "kdns serves 3 Services of cluster.local on 127.0.0.1:1053",
        "",
        "  db.shop.svc.cluster.local    sql 5432/tcp          headless: no ready endpoint",
        "  mail.shop.svc.cluster.local                        -> smtp.example.com",
        "  web.shop.svc.cluster.local   http 80/tcp, 443/udp  10.96.0.1 fd00::1*",
        "",
        "  * made up, the same at each start: the YAML gives no address",
        "",
        "Try",
        "  dig @127.0.0.1 -p 1053 web.shop.svc.cluster.local",
        "  dig @127.0.0.1 -p 1053 _http._tcp.web.shop.svc.cluster.local SRV",
    ]


def test_of_a_cluster_it_is_said_how_many_there_are_and_what_to_try() -> None:
    many = [Served(WEB.service._replace(key=Key("shop", f"web-{at:04}"))) for at in range(1_200)]
    assert serving_lines(many, origin=ORIGIN, listen=LOCAL, made_up=None) == [
        "kdns serves 1,200 Services of cluster.local on 127.0.0.1:1053",
        "",
        "Try",
        "  dig @127.0.0.1 -p 1053 web-0000.shop.svc.cluster.local",
        "  dig @127.0.0.1 -p 1053 _http._tcp.web-0000.shop.svc.cluster.local SRV",
    ]


def test_a_headless_service_shows_its_first_endpoints() -> None:
    slices = [pack_slice(4, (SQL,), [(ONE, b"db-0"), (TWO, b""), (THREE, b""), (FOUR, b"")])]
    text = lines(Served(EMPTY.service, slices), made_up=(ONE,))[2]
    assert text.endswith("headless: 10.244.0.1* (db-0), 10.244.0.2, 10.244.0.3, and 1 more")


def test_nothing_is_said_of_made_up_addresses_where_there_are_none() -> None:
    assert not [line for line in lines(WEB) if "made up" in line]


def test_many_services_are_cut() -> None:
    many = [Served(WEB.service._replace(key=Key("shop", f"web-{at:02}"))) for at in range(43)]
    assert "  ... and 3 more" in lines(*many)
    assert len([line for line in lines(*many) if "http 80/tcp" in line]) == 40


def test_without_services_the_zone_can_be_tried() -> None:
    assert lines(listen=Address("", 53)) == [
        "kdns serves 0 Services of cluster.local on 127.0.0.1:53",
        *("", "", "Try", "  dig @127.0.0.1 cluster.local SOA"),
    ]


def test_all_addresses_are_asked_at_loopback() -> None:
    assert lines(listen=Address("::", 5300))[-1] == "  dig @::1 -p 5300 cluster.local SOA"


def test_an_external_name_that_is_an_address_leads_nowhere() -> None:
    assert lines(Served(MAIL.service._replace(external_name="10.1.1.1")))[2].endswith("-> nowhere")


def test_a_target_cant_reach_the_terminal() -> None:
    assert "\x1b" not in "".join(lines(Served(MAIL.service._replace(external_name="\x1b[31mred.example"))))


def test_colour_is_for_terminals() -> None:
    coloured = serving_lines([WEB], origin=ORIGIN, listen=Address("127.0.0.1", 53), made_up=(), colour=True)
    assert coloured[0] == "\x1b[1mkdns serves 1 Service of cluster.local on 127.0.0.1:53\x1b[0m"
