"""A CoreDNS and kdns on the same Corefile, cluster and upstream: every reply, record by record.

What differs is what docs/records.md and the pages of the directives tell, and nothing else. Where the environment
variable KDNS_COMPARISON names a file, the counts are added to it, a line of a table for each comparison.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import dns.rdataclass
import pytest

from kdns.diff.intended import table
from kdns.diff.question import Question
from kdns.diff.verdict import Tally
from tests.integration import stock, themes
from tests.integration.abroad import Abroad
from tests.integration.comparison import ABROAD, every_question
from tests.integration.coredns import HOW_TO_RUN, Both, Running, program, question, shown, ways
from tests.integration.listed import PATHS, SERVICE_NAME
from tests.integration.test_zoo import reference_of, zoo
from tests.integration.themes import Names, Theme, each
from tests.integration.upstream import Upstream
from tests.lab import Lab, seed_script
from tests.server import ZONE, until

pytestmark = [pytest.mark.lab, pytest.mark.skipif(program() is None, reason=HOW_TO_RUN)]

IN_LAB: Final = pytest.mark.skipif(seed_script() is None, reason="needs the lab's generator; KDNS_LAB_SEED names it")
NAME: Final = "kubernetes.io/metadata.name"
KUBERNETES: Final = """
kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {{kubeconfig}}
    pods {pods}
    fallthrough in-addr.arpa ip6.arpa
    {options}
}}
forward . {{upstream}}
loadbalance
"""
# Each with the directives whose known differences it shows.
OPTIONS: Final = (
    *(
        ("endpoint_pod_names", ()),
        ("namespaces zoo kube-system", ()),
        ("noendpoints", ()),
        ("ttl 0", ()),
        ("zonal", ()),
    ),
    *(("ignore empty_service", ("kubernetes",)), (f"namespace_labels {NAME}=zoo", ("kubernetes",))),
)
ZOOS: Final = ((1, "insecure"), (2, "verified"), (3, "disabled"))  # seed, mode of pods


@pytest.fixture
def abroad() -> Iterator[Abroad]:
    with Abroad() as upstream:
        yield upstream


def both(theme: Theme, upstream: Upstream, folder: Path, **places: object) -> Both:
    for name, text in theme.files.items():
        (folder / name).write_text(text)
    return Both(theme.corefile, folder / "both", upstream=upstream.address, folder=folder, **places)


def asked(theme: Theme) -> list[Question]:
    """All questions of a theme, in all ways."""
    classes = [dns.rdataclass.from_text(each) for each in theme.classes]
    return [each._replace(qclass=rclass) for each in ways(theme.names) for rclass in classes]


def check(name: str, tally: Tally) -> None:
    """Fails if anything is left; writes down the counts."""
    if path := os.environ.get("KDNS_COMPARISON"):
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(tally.intended.items()))
        with Path(path).open("a") as counts:
            counts.write(
                f"| {name} | {tally.asked} | {tally.equal} | {tally.same_records} | {tally.differ_as_meant} | {reasons} |\n"
            )
    assert not tally.left, shown(tally)
    assert tally.asked > 0


# Names of the cluster


@IN_LAB
@pytest.mark.parametrize(("seed", "pods"), ZOOS)
def test_every_name_of_a_cluster(seed: int, pods: str, tmp_path: Path) -> None:
    with zoo(seed, tmp_path) as lab, Upstream(ABROAD) as upstream:
        theme = Theme("zoo", KUBERNETES.format(pods=pods, options="ttl 30"), every_question(reference_of(lab, pods)))
        with both(theme, upstream, tmp_path, kubeconfig=lab.kubeconfig()) as servers:
            tally = servers.compare(asked(theme), table(("cluster.local",)))
    check(f"all names of a cluster, seed {seed}, `pods {pods}`", tally)


@IN_LAB
@pytest.mark.parametrize(("options", "used"), OPTIONS, ids=[options for options, _ in OPTIONS])
def test_options_of_the_cluster(options: str, used: tuple[str, ...], tmp_path: Path) -> None:
    with zoo(4, tmp_path, services=10) as lab, Upstream(ABROAD) as upstream:
        questions = [question(*each) for each in (*every_question(reference_of(lab, "verified")), *pod_names(lab))]
        theme = Theme("options", KUBERNETES.format(pods="verified", options=options), ())
        with both(theme, upstream, tmp_path, kubeconfig=lab.kubeconfig()) as servers:
            tally = servers.compare(questions, table(("cluster.local",), used=used))
    check(f"a cluster with `{options}`", tally)


def pod_names(lab: Lab) -> Names:
    """Of each endpoint that is a pod's its name with endpoint_pod_names."""
    slices = lab.request("GET", PATHS["endpointslices"])["items"]
    return [
        (f"{target['name']}.{service}.{piece['metadata']['namespace']}.{ZONE}", "A")
        for piece in slices
        for endpoint in piece.get("endpoints") or ()
        if (target := endpoint.get("targetRef"))
        and len(target["name"]) < 64
        and (service := piece["metadata"].get("labels", {}).get(SERVICE_NAME))
    ]


@IN_LAB
def test_names_that_a_pod_looks_for_first(tmp_path: Path) -> None:
    """By autopath @kubernetes; the address of the one who asks is that of a Pod in one namespace."""
    with zoo(5, tmp_path, services=10) as lab, Abroad() as upstream:
        status = {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        lab.create("pods", "zoo", "client", spec={"containers": [{"name": "c", "image": "i"}]}, status=status)
        lines = f"autopath @kubernetes\n{KUBERNETES.format(pods='verified', options='ttl 5')}"
        theme = Theme("of pods", lines, [*searched(lab, "zoo"), *searched(lab, "zoo-2")])
        with both(theme, upstream, tmp_path, kubeconfig=lab.kubeconfig()) as servers:
            tally = servers.compare(asked(theme), table(("cluster.local",), used=("autopath",)))
    check("a cluster with `autopath @kubernetes`", tally)


def searched(lab: Lab, namespace: str) -> Names:
    """Names of every sort in the first domain of a list: of Services, with and without their namespaces, and from abroad.

    What leads to other names, or in a circle (ExternalNames, and endpoints that are names), is compared with all names of a cluster.
    """
    found = lab.request("GET", PATHS["services"])["items"]
    metadata = [each["metadata"] for each in found if each["spec"].get("type") != "ExternalName"]
    metadata = [each for each in metadata if each["name"] != "fqdn"]
    services = [f"{each['name']}.{each['namespace']}" for each in metadata]
    bases = (*services, *(f"{each}.svc" for each in services), *(each.partition(".")[0] for each in services))
    outside = "www.example.com alias.example.com lost.example.com nowhere.example.com short.example.com b.new.example"
    failing = "servfail.example.com x.y.z nope"
    names = [f"{base}.{namespace}.{ZONE}" for base in dict.fromkeys((*bases, *outside.split(), *failing.split()))]
    return each(" ".join(names), "A AAAA SRV TXT")


# Corefiles of real clusters


@pytest.mark.parametrize("name", stock.COREFILES)
def test_names_of_a_stock_corefile(name: str, lab: Lab, abroad: Abroad, tmp_path: Path) -> None:
    stock.lay_out(tmp_path)
    places = {"folder": tmp_path, "kubeconfig": lab.kubeconfig(), "upstream": abroad.address}
    zones = () if name == "nodelocal" else ("cluster.local",)
    with Both(stock.served(name), tmp_path / "both", **places) as servers:
        tally = servers.compare(ways(stock.names(name)), table(zones, used=("acl", "cache")))
    check(f"Corefile of {name}", tally)


# Other names


@pytest.mark.parametrize("theme", themes.THEMES, ids=[theme.name for theme in themes.THEMES])
def test_names_of_a_theme(theme: Theme, abroad: Abroad, tmp_path: Path) -> None:
    with both(theme, abroad, tmp_path) as servers:
        tally = servers.compare(asked(theme), table(used=theme.used))
    check(theme.name, tally)


def test_names_of_broken_upstreams(abroad: Abroad, tmp_path: Path) -> None:
    theme = themes.BROKEN
    with both(theme, abroad, tmp_path) as servers:
        tally = servers.compare(asked(theme), table(), at_once=len(asked(theme)))
    check(theme.name, tally)


def test_cached_names(abroad: Abroad, tmp_path: Path) -> None:
    theme = themes.CACHED
    with both(theme, abroad, tmp_path) as servers:
        first = servers.compare(asked(theme), table(used=theme.used))
        before = len(abroad.asked)
        second = servers.compare(asked(theme), table(used=theme.used))
        again = len(abroad.asked) - before
        until(lambda: all(ttl < 29 for ttl in _ttls(servers)), within_s=10)
        third = servers.compare(asked(theme), table(used=theme.used))
    check("cached: first", first)
    check("cached: again", second)
    check("cached: a second later", third)
    assert again < before / 2


def test_stale_names(abroad: Abroad, tmp_path: Path) -> None:
    theme = themes.STALE
    names = ways(theme.names)
    with both(theme, abroad, tmp_path) as servers:
        servers.pairs(names)
        abroad.close()
        until(lambda: _ttls(servers) == [0, 30], within_s=10)
        tally = servers.compare(names, table(used=theme.used))
    check(theme.name, tally)


def _ttls(servers: Both) -> list[int]:
    """The TTL with which each gives www.example.com."""
    (pair,) = servers.pairs([question("www.example.com")])
    return [reply.answer[0].ttl if reply.answer else -1 for reply in (pair.theirs, pair.ours)]


# Lines of log and errors

FORMATS: Final = (
    "log",
    "log . {combined}",
    'log . "{remote} {proto} {type} {class} {name} {size} {>bufsize} {>do} {>id} {>opcode} {rcode} {rsize} {>rflags} {/log/type}"',
    "log . {\n        class denial error\n    }",
    "log example.com {\n        class success\n    }",
)
LOGGED: Final = (
    *each(
        "www.example.com alias.example.com nowhere.example.com nosoa.example.com delegated.example.com", "A AAAA TXT"
    ),
    *each("servfail.example.com formerr.example.com t.example x.t.example", "A AAAA"),
)
# What may differ: ports, durations, and of the flags AA and RA (D10, D16); that causes name the port that asked.
_EACH_ITS_OWN: Final = (
    (r"127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?", "ADDRESS"),
    (r"\b\d+(\.\d+)?s\b", "TIME"),
    (r"\bqr(,aa)?((?:,tc)?(?:,rd)?)(,ra)?", r"qr\2"),
)


@pytest.mark.parametrize("log", FORMATS)
def test_log_lines(log: str, abroad: Abroad, tmp_path: Path) -> None:
    template = 'template IN A t.example {\n    answer "{{ .Name }} 60 IN A 192.0.2.1"\n}'
    theme = Theme("log", f"{log}\nmetadata\n{template}\ncache 30\nforward . {{upstream}}", LOGGED)
    with both(theme, abroad, tmp_path) as servers:
        servers.pairs([*ways(theme.names), question("silent.sins.example")])
        abroad.close()
        servers.pairs([question("late.example.com")])
        until(lambda: len(_lines(servers.theirs)) == len(_lines(servers.ours)), within_s=2, why="a line is missing")
        theirs, ours = (_lines(each) for each in (servers.theirs, servers.ours))
    assert theirs - ours == ours - theirs == Counter()
    assert sum(theirs.values()) > 20


def _lines(running: Running) -> Counter[str]:
    """The lines that tell of questions, but for that which asked whether it is there."""
    lines = running.output.read_text().splitlines()
    return Counter(_without_its_own(line) for line in lines if re.match(r"\[(INFO|ERROR)\] .*example", line))


def _without_its_own(line: str) -> str:
    for pattern, put in _EACH_ITS_OWN:
        line = re.sub(pattern, put, line)
    return line
