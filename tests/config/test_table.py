"""The table: what every directive's declaration has to keep, and how those of a server block come together."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config import keys, manual, table
from kdns.config.declarations import REQUIRED, Absent, Declared, Directive, Only, Settings
from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.hosts import Hosts
from kdns.config.directives.kubernetes import Kubernetes
from kdns.config.directives.reload import Reload
from kdns.config.forms import Form, Misfit
from kdns.config.keys import Key
from kdns.config.reading import Scope, read
from kdns.config.shapes import Kind
from kdns.config.syntax import ERROR, Line, Place, Token
from kdns.dns import names
from tests.config import reading
from tests.config.directives import ZONES, brief, chain, wrong
from tests.config.test_corefiles import COREFILES, ENVIRONMENT

# plugin.cfg of CoreDNS 1.14.7.
ORDER = (
    "root metadata geoip cancel proxyproto quic grpc_server https https3 timeouts multisocket reload nsid bufsize bind "
    "debug trace ready health pprof shed prometheus errors log dnstap local dns64 any chaos loadbalance tsig rewrite "
    "autopath acl cache header dnssec tls minimal template transfer hosts route53 azure clouddns k8s_external kubernetes "
    "file auto secondary etcd loop forward grpc erratic whoami on sign view nomad"
)


def test_the_order_is_coredns_own_but_for_cache_before_the_upstreams_and_searchpath() -> None:
    ours = ORDER.replace("cache ", "").replace("loop", "cache loop").replace("autopath", "autopath searchpath")
    assert [each.name for each in table.DIRECTIVES] == ours.split()
    assert len(table.BY_NAME) == len(table.DIRECTIVES) + len(table.REMOVED)


def line(words: list[str], *block: list[str]) -> Line:
    """A line and the lines of its block, of these words."""
    place = Place("f", 1, 1)
    inner = tuple(Line(tuple(Token(word, place) for word in each)) for each in block)
    return Line(tuple(Token(word, place) for word in words), inner if block else None)


def kinds_of(directive: Directive[Settings]) -> dict[str, Kind[object]]:
    arguments = [each for each in directive.settings.fields.values() if each.option is None]
    return {name: kind for each in arguments for name, kind in each.shape.kinds(each.variables).items()}


def texts(kinds: dict[str, Kind[object]]) -> dict[str, str]:
    return {name: kind.example for name, kind in kinds.items()}


def shortest(directive: Directive[Settings]) -> list[str]:
    """The shortest line of the directive; of rewrite's rules that of the first."""
    examples = {**texts(kinds_of(directive)), "RULE": "name"}
    words = list(directive.form.examples(examples)[0])
    return [*words, "a", "b"] if directive.name == "rewrite" else words


# These say nothing without something in their block.
EMPTY = {"timeouts", "header", "transfer"}
SUPPORTED = [pytest.param(each, id=each.name) for each in table.SUPPORTED]


@pytest.mark.parametrize("directive", SUPPORTED)
def test_a_line_that_says_nothing_gives_the_defaults(directive: Directive[Settings]) -> None:
    outcome = read(directive, line(shortest(directive)), Scope())
    if directive.name in EMPTY:
        assert outcome.settings is None
        return
    assert outcome.settings is not None
    required = {
        name: getattr(outcome.settings, name)
        for name, each in directive.settings.fields.items()
        if each.default is REQUIRED
    }
    assert outcome.settings == directive.settings(**required)


def forms(directive: Directive[Settings]) -> list[tuple[str, Form, Declared]]:
    """The forms of its options and rules, with their fields."""
    fields = directive.settings.fields
    return [(name, each.option, each) for name, each in fields.items() if each.option]


OPTIONS = [
    pytest.param(directive, name, form, each, id=f"{directive.name} {form.text}")
    for directive in table.SUPPORTED
    for name, form, each in forms(directive)
]


@pytest.mark.parametrize(("directive", "name", "form", "declared"), OPTIONS)
def test_every_option_takes_its_own_examples(
    directive: Directive[Settings], name: str, form: Form, declared: Declared
) -> None:
    kinds = dict(declared.shape.kinds(declared.variables))
    laws = {f"{directive.name}: {law.message}" for law in directive.laws}
    for example in form.examples(texts(kinds)):
        outcome = read(directive, line(shortest(directive), list(example)), Scope())
        assert {each.message for each in outcome.problems} <= laws
        without = read(directive, line(shortest(directive)), Scope()).settings
        if outcome.settings is not None and without is not None:
            assert outcome.settings.replaced(**{name: getattr(without, name)}) == without


RULES = [
    pytest.param(directive, rule, id=rule.form.text)
    for directive in table.SUPPORTED
    for each in directive.settings.fields.values()
    for rule in each.rules
]


@pytest.mark.parametrize(("directive", "rule"), RULES)
def test_every_rule_takes_its_own_examples(directive: Directive[Settings], rule: object) -> None:
    form, kinds = rule.form, rule.shape.kinds(rule.form.variables)  # type: ignore[attr-defined] # a Rule
    for example in form.examples(texts(kinds)):
        assert not isinstance(form.match([Token(each, Place("f", 1, 1)) for each in example], readers(kinds)), Misfit)
        laws = {f"{directive.name}: {law.message}" for law in directive.laws}
        said = {each.message for each in read(directive, line([directive.name, *example]), Scope()).problems}
        assert said <= laws


def readers(kinds: dict[str, Kind[object]]) -> dict[str, object]:
    return {name: kind.read for name, kind in kinds.items()}


@pytest.mark.parametrize("directive", SUPPORTED)
def test_every_variable_has_a_kind_and_every_field_a_sentence(directive: Directive[Settings]) -> None:
    assert set(directive.form.variables) == set(kinds_of(directive))
    for _, form, declared in forms(directive):
        assert set(form.variables) == set(declared.shape.kinds(declared.variables))
    for declared in directive.settings.fields.values():
        assert declared.doc.endswith(".")
        assert all(set(rule.form.variables) == set(rule.shape.kinds(())) for rule in declared.rules)
    assert directive.doc.endswith(".")
    assert all(sentence.endswith(".") for sentence in directive.differs)
    options = {form.name for _, form, _ in forms(directive)}
    assert options.isdisjoint({*directive.gone, *directive.missing, *directive.accepted})
    assert {law.at for law in directive.laws} <= {*options, ""}
    written = {word for row in manual.rows(directive) for word in re.split(r"[^a-z_]+", f"{row.usage} {row.doc}")}
    only = {word for each in directive.differences if isinstance(each, Only) for word in each.words.split()}
    assert {word.removesuffix("://") for word in only} <= written | set(re.split("[^a-z_]+", manual.usage(directive)))


OTHERS = [
    "10.0.0.1",
    "10.0.0.0/8",
    "5s",
    "10%",
    "3",
    "0",
    "-1",
    "a.example",
    "*",
    "a(",
    "{1}",
    "",
    ":53",
    "fallthrough",
]


def right_lines(directive: Directive[Settings]) -> tuple[list[list[str]], list[list[str]]]:
    """Lines of the directive, and of its block, that are right."""
    rules = [rule for each in directive.settings.fields.values() for rule in each.rules]
    heads = [list(each) for each in directive.form.examples({**texts(kinds_of(directive)), "RULE": "name"})]
    for rule in rules:
        heads += [[directive.name, *each] for each in rule.form.examples(texts(dict(rule.shape.kinds(()))))]
    options = [
        list(example)
        for _, form, declared in forms(directive)
        for example in form.examples(texts(dict(declared.shape.kinds(declared.variables))))
    ]
    return heads, options


def nearly(lines: list[list[str]]) -> st.SearchStrategy[list[str]]:
    """One of the lines, often with another token in some place, or one more or less."""

    def changed(words: list[str], at: int, other: str, how: str) -> list[str]:
        at %= len(words)
        rest = {
            "same": words[at:],
            "put": [other, *words[at:]],
            "take": words[at + 1 :],
            "swap": [other, *words[at + 1 :]],
        }
        return [*words[:at], *rest[how]] or words

    how = st.sampled_from(["same", "same", "put", "take", "swap"])
    return st.builds(
        changed, st.sampled_from(lines), st.integers(0, 9), st.sampled_from(OTHERS) | st.text(max_size=4), how
    )


def lines_for(directive: Directive[Settings]) -> st.SearchStrategy[Line]:
    heads, options = right_lines(directive)
    block = st.lists(nearly(options), max_size=3) if options else st.just([])
    return st.builds(lambda head, inner: line([directive.name, *head[1:]], *inner), nearly(heads), block)


@given(st.sampled_from(table.SUPPORTED).flatmap(lambda each: st.tuples(st.just(each), lines_for(each))))
def test_any_tokens_give_settings_or_an_error(case: tuple[Directive[Settings], Line]) -> None:
    directive, given_line = case
    outcome = read(directive, given_line, Scope(ZONES))
    assert (outcome.settings is None) == any(each.severity == ERROR for each in outcome.problems)
    assert all(each.message for each in outcome.problems)
    if outcome.settings is not None:
        assert isinstance(outcome.settings, directive.settings)
        assert outcome.settings.replaced() == outcome.settings


@pytest.mark.parametrize("name", COREFILES)
def test_the_corefiles_of_real_clusters_mean_something_throughout(name: str) -> None:
    corefile = reading.read(COREFILES[name], {}, ENVIRONMENT)
    for block in corefile.blocks:
        parsed = [keys.parse(key) for key in block.keys]
        made = table.chain_of(
            block.directives, tuple(zone for key in parsed if isinstance(key, Key) for zone in key.zones)
        )
        assert len(made.settings) == len(block.directives)
        assert all("without tls_servername" in each.message for each in made.problems)


def test_the_settings_of_kubeadm_s_corefile() -> None:
    (block,) = reading.read(COREFILES["kubeadm"]).blocks
    made = {type(each).__name__: each for each in table.chain_of(block.directives, (names.ROOT,)).settings}
    order = "Reload Ready Health Prometheus Errors Loadbalance Kubernetes Cache Loop Forward"
    assert list(made) == order.split()
    cluster, cache, forward = made["Kubernetes"], made["Cache"], made["Forward"]
    assert isinstance(cluster, Kubernetes)
    assert isinstance(cache, Cache)
    assert isinstance(forward, Forward)
    assert (cluster.ttl_s, cluster.pods, [names.to_text(each) for each in cluster.origins]) == (
        30,
        "insecure",
        ["cluster.local."],
    )
    assert (cache.kept_success.ttl_max_s, cache.kept_denial.ttl_max_s, cache.zones) == (30, 30, (names.ROOT,))
    assert (forward.max_concurrent, forward.upstreams[0].sort) == (1000, "file")


def test_directives_are_ordered_by_the_table_and_those_of_one_name_by_the_file() -> None:
    made = chain("forward b 192.0.2.1\nforward a 192.0.2.2\nwhoami\ncache")
    assert [type(each).__name__ for each in made.settings] == ["Cache", "Forward", "Forward", "Whoami"]
    assert [each.upstreams[0].host for each in made.settings if isinstance(each, Forward)] == ["192.0.2.1", "192.0.2.2"]


def test_of_a_directive_that_may_stand_once_the_first_is_read_and_the_second_is_an_error() -> None:
    made = chain("cache 1\ncache 2\ncache 3")
    assert [brief(each) for each in made.problems] == [
        '2:1 found "cache" again, expected it once',
        '3:1 found "cache" again, expected it once',
    ]
    assert made.settings == (Cache(ttl_s=1, zones=ZONES),)


def test_of_other_directives_the_first_or_the_last_counts_with_a_warning() -> None:
    made = chain("reload 3s\nreload 4s\nlocal\nlocal {\nlocalhost_prefix off\n}")
    assert [brief(each) for each in made.problems] == [
        '2:1 warning: "reload" again: that of line 2 counts',
        '4:1 warning: "local" again: this one counts',
    ]
    assert [repr(each) for each in made.settings] == [
        "Reload(interval_s=3.0, jitter_s=15.0)",
        "Local(localhost_prefix=False)",
    ]


NOT_THERE = [
    ("kuberntes a", '1:1 unknown directive "kuberntes"', 'did you mean "kubernetes"?'),
    ("xyzzy", '1:1 unknown directive "xyzzy"', "kdns plugins lists those there are"),
    ("proxy . 192.0.2.1", '1:1 CoreDNS has no directive "proxy" any more: it asked other servers', "write forward"),
    ("route53 a", '1:1 kdns has no directive "route53": it answers from AWS Route 53', None),
    ("pprof :6053", '1:1 warning: "pprof" has no effect here: it gives profiles of the Go runtime', None),
]


@pytest.mark.parametrize(("text", "message", "hint"), NOT_THERE)
def test_what_isn_t_there_is_named_with_what_to_do(text: str, message: str, hint: str | None) -> None:
    made = chain(text)
    assert made.settings == ()
    (problem,) = made.problems
    assert brief(problem) == message
    assert problem.hint == hint if hint else problem.hint


def test_all_problems_of_a_block_are_found() -> None:
    text = "cache x {\nsuccess\nfoo\n}\nforward .\nhelth\nbufsize 1"
    assert [each.split()[0] for each in wrong(text)] == ["2:8", "3:1", "5:10", "6:1", "7:9"]


def test_relative_paths_begin_at_the_root() -> None:
    made = chain("hosts f\nroot /srv\nforward . a/b")
    assert [each.file for each in made.settings if isinstance(each, Hosts)] == ["/srv/f"]
    assert [each.upstreams[0].host for each in made.settings if isinstance(each, Forward)] == ["a/b"]
    assert [each.file for each in chain("hosts /f\nroot /srv").settings if isinstance(each, Hosts)] == ["/f"]


def test_absent_directives_say_what_to_do() -> None:
    absent = [each for each in table.BY_NAME.values() if isinstance(each, Absent)]
    assert len(absent) > 20
    assert all(each.instead for each in absent)


def test_settings_are_values() -> None:
    assert Reload() == Reload(interval_s=30.0)
    assert Reload() != Reload(interval_s=31.0)
    assert Reload() != Cache()
    assert len({Reload(), Reload(interval_s=30.0), Reload(jitter_s=1.0)}) == 2
    with pytest.raises(AttributeError):
        Reload().interval_s = 5.0  # type: ignore[misc] # that it can't be written is the point
    with pytest.raises(TypeError):
        Reload(interval=5.0)  # type: ignore[call-arg] # that it isn't there is the point
    with pytest.raises(TypeError):
        Forward()  # type: ignore[call-arg] # that something is missing is the point


def test_every_file_of_directives_is_in_the_table() -> None:
    folder = Path(table.__file__).parent / "directives"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {each.settings.__module__.rpartition(".")[2] for each in table.SUPPORTED}


HINTS = [
    ("forward . 192.0.2.1 {\npolicy randm\n}", 'did you mean "random"?'),
    ("forward . 192.0.2.1 {\npolicy 5\n}", "write: policy (random|round_robin|sequential)"),
    ("forward . 192.0.2.1 {\npolcy random\n}", 'did you mean "policy"?'),
    ("forward . 192.0.2.1 {\nspray\n}", "policy random"),
    ("acl {\nblok net *\n}", 'did you mean "block"?'),
    ("hosts {\nfalthrough\n}", 'did you mean "fallthrough"?'),
    ("cache {\ndisable sucess\n}", 'did you mean "success"?'),
    ("any {\nx\n}", "it has none"),
    ("health {\nx\n}", "there are lameduck"),
    ("rewrite nme a b", 'did you mean "name"?'),
    ("cache\ncache", "it is in line 2 already"),
    ("transfer {\nto *\nsource ::1\nsource ::1\n}", "it is in line 4 already"),
]


@pytest.mark.parametrize(("text", "hint"), HINTS)
def test_a_problem_says_what_to_write(text: str, hint: str) -> None:
    assert [each.hint for each in chain(text).problems] == [hint]


def test_a_directive_that_was_imported_is_named_with_its_file() -> None:
    (block,) = reading.read(". {\nimport a\ncache\n}", {"a": "cache"}).blocks
    assert [each.hint for each in table.chain_of(block.directives, ZONES).problems] == ["it is in a:1:1 already"]
