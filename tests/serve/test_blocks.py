"""Server blocks at work: what one denies never speaks for names that are another's."""

import dns.rcode
import pytest

from kdns.zone.entry import Kind, Service, pack_service, service_owner
from kdns.zone.index import Index
from kdns.zone.patch import Image
from tests.serve.served import Served

CLUSTER = "kubernetes cluster.local\n"
ANSWER = 'template ANY ANY {\nanswer "{{ .Name }} 60 IN A 192.0.2.1"\n}\n'
INNER = "special.default.svc.cluster.local"


def index() -> Index:
    made = Index()
    web = pack_service(Service(Kind.CLUSTER_IP, v4=bytes((10, 0, 0, 2))))
    made.load(Image(1, 1, {service_owner("default", "web"): web}))
    return made


@pytest.mark.parametrize(
    "text",
    [
        f"cluster.local {{\n{CLUSTER}}}\n{INNER} {{\n{ANSWER}}}\n",
        f". {{\n{CLUSTER}}}\n{INNER} {{\n{ANSWER}}}\n",
        f". {{\nacl {INNER} {{\nblock\n}}\n{CLUSTER}}}\n",
    ],
    ids=["an inner block's", "an inner block's, from the root's", "an acl's"],
)
def test_a_denial_does_not_hold_beyond_the_border_of_a_zone(text: str) -> None:
    served = Served(text, index())
    for name in ("another", "anothes", "anothet"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.ask(INNER).rcode() != dns.rcode.NXDOMAIN


def test_a_denial_does_not_hold_for_names_of_the_machine_itself() -> None:
    served = Served(f". {{\nlocal\n{CLUSTER}}}\n", index())
    for name in ("localhosx", "localhosy", "localhosz"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.ask("localhost.default.svc.cluster.local").rcode() == dns.rcode.NOERROR


def test_a_denial_holds_for_names_alike_where_no_border_is_among_them() -> None:
    served = Served(f". {{\n{CLUSTER}}}\nexample.org {{\n{ANSWER}}}\n", index())
    for name in ("another", "anothes", "anothet"):
        assert served.ask(f"{name}.default.svc.cluster.local").rcode() == dns.rcode.NXDOMAIN
    assert served.udp.tally.made == 1
