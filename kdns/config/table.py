"""The table: every directive that a Corefile may have, in the order in which questions go through them.

The order is CoreDNS' (plugin.cfg of 1.14) and never the file's, but among several of one name. searchpath, which CoreDNS hasn't,
follows autopath. Only cache, there before all that answer, stands here before those that ask upstreams: what others know is
never a second old. What CoreDNS has and kdns hasn't is here, too, as an error that says what to do, or accepted where it has no effect.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from kdns.config.complaints import did_you_mean
from kdns.config.declarations import Absent, Directive, Settings
from kdns.config.directives import (
    acl,
    autopath,
    bare,
    cache,
    dns64,
    errors,
    forward,
    hosts,
    k8s_external,
    kubernetes,
    loadbalance,
    local,
    log,
    places,
    probes,
    reload,
    replies,
    rewrite,
    searchpath,
    template,
    view,
    zonefiles,
)
from kdns.config.directives.places import Root
from kdns.config.reading import Outcome, Scope, read
from kdns.config.syntax import ERROR, WARNING, Line, Problem, Severity, Token
from kdns.dns.names import Name

Entry: TypeAlias = Directive[Any] | Absent

_CLOUD: Final = "write forward to the zone's name servers, or file with a copy of it"
_LISTENER: Final = "write server blocks with dns:// or tls:// keys; a proxy in front of kdns can speak the rest"

DIRECTIVES: Final[tuple[Entry, ...]] = (
    places.ROOT,
    view.METADATA,
    Absent("geoip", "tells where a client is by a MaxMind database", "leave it out; view and acl know networks"),
    places.CANCEL,
    Absent("proxyproto", "reads the PROXY protocol", "let the load balancer keep the client's address"),
    Absent("quic", "sets up DNS over QUIC", _LISTENER),
    Absent("grpc_server", "sets up DNS over gRPC", _LISTENER),
    Absent("https", "sets up DNS over HTTPS", _LISTENER),
    Absent("https3", "sets up DNS over HTTP/3", _LISTENER),
    places.TIMEOUTS,
    Absent("multisocket", "opens several sockets", "each worker has sockets of its own (--workers)", WARNING),
    reload.DIRECTIVE,
    replies.NSID,
    replies.BUFSIZE,
    places.BIND,
    bare.DEBUG,
    Absent("trace", "sends traces", "leave it out; metrics and log tell how long questions take"),
    probes.READY,
    probes.HEALTH,
    Absent("pprof", "gives profiles of the Go runtime", "kdns is no Go program", WARNING),
    Absent("shed", "drops replies when too many wait", "kdns always bounds what waits", WARNING),
    probes.PROMETHEUS,
    errors.DIRECTIVE,
    log.DIRECTIVE,
    Absent("dnstap", "sends questions to a collector", "write log"),
    local.DIRECTIVE,
    dns64.DIRECTIVE,
    bare.ANY,
    replies.CHAOS,
    loadbalance.DIRECTIVE,
    Absent("tsig", "signs messages by a shared key", "limit who may ask by acl, and transfers by transfer"),
    rewrite.DIRECTIVE,
    autopath.DIRECTIVE,
    searchpath.DIRECTIVE,
    acl.DIRECTIVE,
    replies.HEADER,
    Absent("dnssec", "signs replies", "serve signed zones elsewhere, and forward to them"),
    places.TLS,
    bare.MINIMAL,
    template.DIRECTIVE,
    zonefiles.TRANSFER,
    hosts.DIRECTIVE,
    Absent("route53", "answers from AWS Route 53", _CLOUD),
    Absent("azure", "answers from Azure DNS", _CLOUD),
    Absent("clouddns", "answers from Google Cloud DNS", _CLOUD),
    k8s_external.DIRECTIVE,
    kubernetes.DIRECTIVE,
    zonefiles.FILE,
    Absent("auto", "answers from a folder of zone files", "write a file for each zone"),
    Absent("secondary", "copies zones from another server", "write forward to that server"),
    Absent("etcd", "answers from etcd", "write forward to a server that reads it"),
    cache.DIRECTIVE,
    bare.LOOP,
    forward.DIRECTIVE,
    Absent("grpc", "asks upstreams over gRPC", "write forward"),
    Absent("erratic", "drops and delays replies for tests", "leave it out"),
    bare.WHOAMI,
    Absent("on", "runs commands", "let what starts kdns run them"),
    Absent("sign", "signs zone files", "sign them elsewhere, and write file"),
    view.VIEW,
    Absent("nomad", "answers from Nomad", "write forward to Nomad's own DNS"),
)
# What CoreDNS had once.
REMOVED: Final[tuple[Absent, ...]] = (
    Absent("proxy", "asked other servers", "write forward"),
    Absent("federation", "served names of several clusters", "write rewrite rules"),
    Absent("reverse", "made reverse names", "write template"),
    Absent("startup", "ran commands", "let what starts kdns run them"),
    Absent("shutdown", "ran commands", "let what starts kdns run them"),
    Absent("upstream", "resolved names outside", "leave it out: the server block itself does"),
)

BY_NAME: Final[dict[str, Entry]] = {each.name: each for each in (*DIRECTIVES, *REMOVED)}
SUPPORTED: Final[tuple[Directive[Any], ...]] = tuple(each for each in DIRECTIVES if isinstance(each, Directive))
_NAMES: Final = {each.settings: each.name for each in SUPPORTED}
_ORDER: Final[dict[str, int]] = {each.name: position for position, each in enumerate(DIRECTIVES)}


class Chain(NamedTuple):
    """The settings of a server block in the order in which questions go through them, and all that is wrong with it."""

    settings: tuple[Settings, ...]
    problems: tuple[Problem, ...]


class Stated(NamedTuple):
    """A line of a server block, what the table has of it, and what it says."""

    line: Line
    directive: Directive[Any]
    outcome: Outcome[Settings]


def settings_of(line: Line, scope: Scope) -> Outcome[Settings]:
    """The settings of one directive; none for one without effect, or with a problem that is an error."""
    entry = BY_NAME.get(line.name.text)
    if isinstance(entry, Directive):
        return read(entry, line, scope)
    return Outcome(None, (_absent(entry, line.name),))


def _absent(entry: Absent | None, token: Token) -> Problem:
    if entry is None:
        near = did_you_mean(token.text, BY_NAME) or "kdns plugins lists those there are"
        return _problem(token, f'unknown directive "{token.text}"', near)
    if entry.severity == WARNING:
        return _problem(token, f'"{entry.name}" has no effect here: it {entry.doc}', entry.instead, WARNING)
    whose = "CoreDNS has no directive" if entry in REMOVED else "kdns has no directive"
    more = " any more" if entry in REMOVED else ""
    return _problem(token, f'{whose} "{entry.name}"{more}: it {entry.doc}', entry.instead)


def name_of(settings: Settings) -> str:
    """The name of the directive that the settings are of."""
    return _NAMES[type(settings)]


def chain_of(directives: Sequence[Line], zones: tuple[Name, ...]) -> Chain:
    """The settings of a server block's directives; zones are those of its keys."""
    lines, problems = stated(directives, zones)
    found = (each.outcome.settings for each in lines)
    return Chain(tuple(settings for settings in found if settings is not None), problems)


def stated(directives: Sequence[Line], zones: tuple[Name, ...]) -> tuple[tuple[Stated, ...], tuple[Problem, ...]]:
    """The same with the lines that the settings are from, also of those with errors."""
    problems: list[Problem] = []
    scope = Scope(zones, _root(directives))
    found: list[Stated] = []
    for line in _counting(directives, problems):
        outcome = settings_of(line, scope)
        problems += outcome.problems
        entry = BY_NAME.get(line.name.text)
        if isinstance(entry, Directive):
            found.append(Stated(line, entry, outcome))
    found.sort(key=lambda each: _ORDER[each.directive.name])  # stable: several of one name stay as they stand
    return tuple(found), tuple(problems)


def _root(directives: Sequence[Line]) -> str:
    """Where relative paths begin; whatever is wrong with it is said with the others."""
    for line in reversed(directives):
        if line.name.text == places.ROOT.name and isinstance(root := settings_of(line, Scope()).settings, Root):
            return root.path
    return ""


def _counting(directives: Sequence[Line], problems: list[Problem]) -> list[Line]:
    """The lines that count, by how often their directive may stand in a block."""
    kept: list[Line | None] = []
    places_of: dict[str, int] = {}
    for line in directives:
        entry = BY_NAME.get(line.name.text)
        before = places_of.get(line.name.text)
        if not isinstance(entry, Directive) or entry.repeat == "each" or before is None:
            places_of[line.name.text] = len(kept)
            kept.append(line)
            continue
        place = directives[before].name.place
        earlier = f"line {place.line}" if place.file == line.name.place.file else str(place)
        if entry.repeat == "once":
            hint = f"it is in {earlier} already"
            problems.append(_problem(line.name, f'found "{entry.name}" again, expected it once', hint))
            kept.append(None)
        elif entry.repeat == "first":
            problems.append(_problem(line.name, f'"{entry.name}" again: that of {earlier} counts', "", WARNING))
            kept.append(None)
        else:
            problems.append(_problem(line.name, f'"{entry.name}" again: this one counts', "", WARNING))
            kept[before] = None
            places_of[entry.name] = len(kept)
            kept.append(line)
    return [line for line in kept if line is not None]


def _problem(token: Token, message: str, hint: str, severity: Severity = ERROR) -> Problem:
    return Problem(token.place, message, hint, severity, token.width)


__all__ = [
    "BY_NAME",
    "DIRECTIVES",
    "REMOVED",
    "SUPPORTED",
    "Chain",
    "Stated",
    "chain_of",
    "name_of",
    "settings_of",
    "stated",
]
