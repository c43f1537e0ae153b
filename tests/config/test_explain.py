"""What a server block comes to: a Corefile that says the same again, with every option."""

from hypothesis import assume, given
from hypothesis import strategies as st

from kdns.config import explain, table
from kdns.config.declarations import Directive, Settings
from kdns.config.explain import Block, Explained, explained, quoted
from kdns.config.reading import Scope, read
from kdns.config.syntax import Line, Place
from kdns.config.table import Stated
from kdns.dns import names
from tests.config import reading
from tests.config.directives import ZONES
from tests.config.test_table import lines_for

KEY = ("example.org:53",)


def of(text: str) -> Explained:
    """The only directive that text writes in a server block of example.org."""
    (block,) = reading.read(f"example.org {{\n{text}\n}}").blocks
    ((stated,), problems) = table.stated(block.directives, ZONES)
    assert problems == ()
    assert stated.outcome.settings is not None
    return explained(stated, stated.outcome.settings)


def written(*directives: Explained) -> str:
    return explain.text([Block(Place("C", 1, 1), KEY, ZONES, ("dns://:53",), directives)])


def inside(text: str) -> list[str]:
    """The lines of the only directive that text writes."""
    return [line.removeprefix("    ") for line in written(of(text)).splitlines()[4:-1]]


def test_a_block_says_where_it_stands_where_it_listens_and_for_which_zones() -> None:
    block = Block(Place("C", 7, 1), ("a:53", "tls://b:853"), (*ZONES, names.ROOT), ("dns://:53", "tls://:853"), ())
    assert explain.text([block, block._replace(listeners=(), keys=("c",))]) == (
        "# C:7:1\n# listens on dns://:53, tls://:853\n# zones: example.org. .\na:53 tls://b:853 {\n}\n\n"
        "# C:7:1\n# listens on nothing\n# zones: example.org. .\nc {\n}\n"
    )


def test_what_is_left_out_is_marked() -> None:
    assert inside("ready") == ["ready :8181 {  # default: ADDRESS", "    monitor until-ready  # default", "}"]
    assert inside("health :1 {\nlameduck 5s\n}") == ["health :1 {", "    lameduck 5s", "}"]
    assert inside("prometheus 127.0.0.1:1") == ["prometheus 127.0.0.1:1"]
    assert inside("minimal") == ["minimal"]


def test_what_is_off_is_listed() -> None:
    assert inside("k8s_external a") == [
        "k8s_external a {",
        "    ttl 5  # default",
        "    apex dns  # default",
        "    # not set: headless, fallthrough",
        "}",
    ]
    assert inside("kubernetes")[-3:-1] == [
        "    # not set: endpoint, tls, kubeconfig, namespaces, namespace_labels, labels, endpoint_pod_names,",
        "    #   noendpoints, fallthrough, ignore empty_service, zonal, multicluster",
    ]


def test_what_other_values_decide_is_filled_in() -> None:
    assert inside("reload 10s") == ["reload 10s 5s  # default: JITTER"]
    assert inside("reload 10s 9s") == ["reload 10s 5s"]
    assert inside("cache 30 {\ndenial 100\n}")[:3] == [
        "cache 30 example.org. {  # default: ZONE",
        "    success 9984 30 5  # default",
        "    denial 100 30 5",
    ]
    assert "    prefix fd00::/96  # default" in inside("dns64 fd00::/96")


def test_each_sort_of_default_is_written_as_it_is_read() -> None:
    assert "    prefetch 0 60s 10%  # default" in inside("cache")
    assert "    serve_stale 3600s immediate 0s 0s" in inside("cache {\nserve_stale\n}")
    assert "    serve_stale 60s verify 5s 0s 0s" in inside("cache {\nserve_stale 1m verify 5s\n}")
    assert "    health_check 0.5s domain .  # default" in inside("forward . 192.0.2.1")
    assert "    health_check 1s no_rec domain a." in inside("forward . 192.0.2.1 {\nhealth_check 1s domain a no_rec\n}")
    assert "    tls cert.pem key.pem" in inside("forward . 192.0.2.1 {\ntls cert.pem key.pem\n}")
    assert "    localhost_prefix on  # default" in inside("local")
    assert inside("template IN A")[1] == "    rcode NOERROR  # default"
    assert inside("cancel") == ["cancel 5.001s  # default: TIMEOUT"]
    assert inside("rewrite name a b") == ["rewrite stop name a b  # default: MODE"]


def test_words_are_quoted_where_they_need_it() -> None:
    words = {"a": "a", "": '""', "a b": '"a b"', 'a "b"': '"a \\"b\\""', "{": '"{"', "a#": '"a#"', "{1}": "{1}"}
    assert {word: quoted(word) for word in words} == words
    assert inside('template IN TXT {\nanswer "{{ .Name }} TXT a"\n}')[1] == '    answer "{{ .Name }} TXT a"'


def is_writable(line: Line) -> bool:
    """Whether a Corefile can have the words: none can have a backslash before a quote, or what names a variable."""
    texts = [token.text for each in (line, *(line.block or ())) for token in each.tokens]
    return not any("\\" in text or "{$" in text or "{%" in text or "\r" in text for text in texts)


@given(st.sampled_from(table.SUPPORTED).flatmap(lambda each: st.tuples(st.just(each), lines_for(each))))
def test_the_explanation_reads_as_what_it_explains(case: tuple[Directive[Settings], Line]) -> None:
    directive, line = case
    assume(is_writable(line))
    outcome = read(directive, line, Scope(ZONES))
    assume(outcome.settings is not None)
    assert outcome.settings is not None
    text = written(explained(Stated(line, directive, outcome), outcome.settings))
    corefile = reading.read(text)
    assert corefile.problems == ()
    (again,) = table.chain_of(corefile.blocks[0].directives, ZONES).settings
    assert again.complete() == outcome.settings.complete()
