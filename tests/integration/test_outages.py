"""The API server in trouble: no answer is lost or wrong meanwhile, and nothing that changed is missed afterwards.

Each test has a lab of its own, since it does to it what others could not bear. "Wrong" is
whatever was never the cluster's state. Covers robustness rules K01-K07, K14, K28, K31, K35.
"""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.asking import Ask, Asking
from tests.integration.upstream import Upstream
from tests.lab import HOW_TO_RUN, READ_ALL, READER, Lab, assets
from tests.server import ZONE, Server, extended_errors, short, until

pytestmark = pytest.mark.lab

STEADY, MOVED, GHOST, FRESH = (f"{name}.outage.{ZONE}" for name in ("steady", "moved", "ghost", "fresh"))
UNSYNCED = "14 (Not Ready): the cluster hasn't been read yet"
PATIENCE_S = 10.0  # at its start a server lets questions wait for the cluster, for 5 s
SLICES = "endpointslices.discovery.k8s.io"
REFUSED = (
    f'{SLICES}: 403: not allowed to list and watch; the role needs {{apiGroups: ["discovery.k8s.io"], resources: '
    f'["endpointslices"], verbs: ["list", "watch"]}} ({SLICES} is forbidden: User "kdns" cannot '
)


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Starts a lab with flags of the test's own."""
    binaries = assets()
    if binaries is None:
        pytest.skip(HOW_TO_RUN)
    made: list[Lab] = []

    def start(*flags: str) -> Lab:
        made.append(Lab(binaries, tmp_path, flags))
        made[0].start()
        made[0].create("namespaces", "", "outage")
        for number, name in enumerate(("steady", "moved", "ghost")):
            put(made[0], name, f"10.98.0.{number + 1}")
        return made[0]

    try:
        yield start
    finally:
        for lab in made:
            lab.close()


def put(lab: Lab, name: str, ip: str) -> None:
    lab.create("services", "outage", name, spec={"clusterIP": ip, "ports": [{"name": "http", "port": 80}]})


def serve(lab: Lab, folder: Path, **options: object) -> Server:
    return Server("--kubeconfig", str(lab.kubeconfig()), folder=folder, **options)  # type: ignore[arg-type]


def ask_all(server: Server) -> Asking:
    """Asks for everything; what changes in these tests is as it was or as it will be."""
    return Asking(
        server,
        Ask(STEADY, "A", ({"10.98.0.1"},)),
        Ask(MOVED, "A", ({"10.98.0.2"}, {"10.98.0.12"}, {"NXDOMAIN"})),
        Ask(GHOST, "A", ({"10.98.0.3"}, {"NXDOMAIN"})),
        Ask(FRESH, "A", ({"NXDOMAIN"}, {"10.98.0.4"})),
        Ask("1.0.98.10.in-addr.arpa", "PTR", ({f"{STEADY}."},)),
    )


def change_all(lab: Lab) -> None:
    lab.delete("services", "outage", "moved")
    put(lab, "moved", "10.98.0.12")
    lab.delete("services", "outage", "ghost")
    put(lab, "fresh", "10.98.0.4")


def expect_all(server: Server) -> None:
    server.comes_to(FRESH, "A", {"10.98.0.4"})
    server.comes_to(MOVED, "A", {"10.98.0.12"})
    server.comes_to(GHOST, "A", {"NXDOMAIN"})
    server.comes_to("3.0.98.10.in-addr.arpa", "PTR", {"SERVFAIL"})  # falls through to nobody
    server.comes_to(STEADY, "A", {"10.98.0.1"})


def test_while_the_api_server_is_away_the_last_state_is_served(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    with serve(lab, tmp_path) as server, ask_all(server) as asking:
        lab.kill()
        until(lambda: server.ready()[1].count(f": {lab.url}: ") == 3)  # each of the three watches says so
        assert server.ready()[0] == 200
        before = server.metric('kdns_freshness_seconds{resource="services"}')
        assert server.metric('kdns_freshness_seconds{resource="services"}') > before
        lab.start()
        change_all(lab)
        expect_all(server)
    asking.check()


@pytest.mark.parametrize(
    "flags", [(), ("--watch-cache=false",)], ids=["410 from a new watch cache", "410 from a compacted etcd"]
)
def test_what_changed_during_a_restart_is_seen_and_what_went_is_gone(
    own_lab: Callable[..., Lab], flags: Sequence[str], tmp_path: Path
) -> None:
    lab = own_lab(*flags)
    with serve(lab, tmp_path) as server, ask_all(server) as asking:
        # While the controller is held its watches end, and what is changed then it can't learn from another.
        server.send(signal.SIGSTOP, "controller")
        lab.restart()
        change_all(lab)
        lab.compact()
        lab.restart()
        server.send(signal.SIGCONT, "controller")
        expect_all(server)
        assert server.metric('kdns_relists_total{resource="services"}') == 1
    asking.check()


def test_a_frozen_api_server_changes_nothing_and_is_followed_again(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    with serve(lab, tmp_path) as server, ask_all(server) as asking:
        with lab.freeze():
            seen = asking.replies
            until(lambda: asking.replies > seen + 5000)
            assert server.ready()[0] == 200
        change_all(lab)
        expect_all(server)
        assert server.metric('kdns_relists_total{resource="services"}') == 0
    asking.check()


def test_permissions_are_asked_for_and_their_coming_back_is_seen(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    config = ("--kubeconfig", str(lab.kubeconfig()))
    (tmp_path / "late").mkdir()
    late = Server(*config, folder=tmp_path / "late")
    with Server(*config, folder=tmp_path) as server, closing(late):
        lab.allow([{**rule, "resources": ["services", "namespaces", "pods"]} for rule in READ_ALL])
        lab.restart()  # what is being watched isn't asked about again
        late.start(ready=False)
        until(lambda: f"endpointslices: synced: {REFUSED}" in server.ready()[1])
        until(lambda: f"endpointslices: not synced: {REFUSED}" in late.ready()[1])
        assert (server.ready()[0], late.ready()[0]) == (200, 503)
        assert server.said(STEADY) == {"10.98.0.1"}
        assert short(late.ask(STEADY, timeout_s=PATIENCE_S)) == {"SERVFAIL"}
        assert late.metric('kdns_synced{resource="endpointslices"}') == 0
        assert late.metric('kdns_synced{resource="services"}') == 1
        until(lambda: stale(server, "endpointslices") > stale(server, "services"))
        lab.allow(READ_ALL)
        late.until_ready(within_s=45)  # such a refusal is asked about again after 30 s
        until(lambda: "403" not in server.ready()[1], within_s=45)
        assert late.said(STEADY) == {"10.98.0.1"}


def stale(server: Server, resource: str) -> float:
    return server.metric(f'kdns_freshness_seconds{{resource="{resource}"}}')


def test_without_an_api_server_at_the_start_nothing_is_denied_until_it_comes(
    own_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    lab = own_lab()
    lab.kill()
    abroad = {("www.example.com.", "A"): ("203.0.113.7",)}
    with Upstream(abroad) as upstream, closing(serve(lab, tmp_path, upstream=upstream.address)) as server:
        server.start(ready=False)
        for name, rtype in (
            (STEADY, "A"),
            ("nothing.at.all.cluster.local", "A"),
            ("1.0.98.10.in-addr.arpa", "PTR"),
        ):
            reply = server.ask(name, rtype, timeout_s=PATIENCE_S)
            assert (short(reply), extended_errors(reply)) == ({"SERVFAIL"}, [UNSYNCED])
        assert server.said("www.example.com") == {"203.0.113.7"}
        status, body = server.ready()
        assert status == 503
        assert body.startswith("kubernetes\nendpointslices: not synced")
        lab.start()
        server.until_ready()
        assert server.said(STEADY) == {"10.98.0.1"}
        assert server.said("nothing.at.all.cluster.local") == {"NXDOMAIN"}
        assert [name for _, name, _ in upstream.asked] == ["www.example.com."]


def test_a_refused_token_is_told_and_read_again(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    token = tmp_path / "token"
    token.write_text("an-old-token")
    config = lab.kubeconfig({"tokenFile": str(token)})
    with closing(Server("--kubeconfig", str(config), folder=tmp_path)) as server:
        server.start(ready=False)
        until(lambda: server.ready()[1].count("401") == 3)  # of each resource
        status, body = server.ready()
        assert status == 503
        assert "services: not synced: services: 401: the API server doesn't accept the credentials" in body
        token.write_text(READER)
        server.until_ready()
        assert server.said(STEADY) == {"10.98.0.1"}


def test_an_api_server_that_stalls_at_the_start_is_waited_for(own_lab: Callable[..., Lab], tmp_path: Path) -> None:
    lab = own_lab()
    with closing(serve(lab, tmp_path)) as server:
        with lab.freeze():
            server.start(ready=False)
            assert short(server.ask(STEADY, timeout_s=PATIENCE_S)) == {"SERVFAIL"}
            assert server.ready()[0] == 503
        server.until_ready()
        assert server.said(STEADY) == {"10.98.0.1"}
