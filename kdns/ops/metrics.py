"""Metrics: which families there are, and how counts become a page.

One table names every family with its labels; nothing else decides what may be exposed.
Workers count, send their counts as a report, and the controller adds them up: no directory
of shared files, no lock. Names and labels are CoreDNS' where CoreDNS has the same thing, so
that dashboards and alerts go on working. The page is the Prometheus text format 0.0.4.

Labels are bounded: what a client can choose (a type) comes from a closed set, and a value of
any octets can neither break a line nor reach a terminal as an escape sequence.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

Labels: TypeAlias = tuple[str, ...]  # values, in the order of the family's label names
Series: TypeAlias = tuple[str, Labels]
Sample: TypeAlias = tuple[str, Labels, float]
Counts: TypeAlias = Mapping[Series, float]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class ReportError(ValueError):
    """Octets that are no report."""


class Family(NamedTuple):
    """A metric: what is counted, and by what it is told apart."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    common: bool = False  # each worker tells the same: of their values the greatest counts, not the sum

    @property
    def names(self) -> tuple[str, ...]:
        """Of its series: a histogram has a bucket for each bound (the label le, last), the sum, and the count."""
        return (self.name,) if self.type != "histogram" else tuple(f"{self.name}{part}" for part in _PARTS)


_PARTS: Final = ("_bucket", "_sum", "_count")  # as they stand on the page
_BOUND: Final = "le"

_BLOCK: Final = ("server", "zone", "view")  # CoreDNS' words for where a question came in

_TEMPLATE: Final = (*_BLOCK, "class", "type")
_CACHE: Final = ("server", "zones", "view")
_CACHE_KIND: Final = ("server", "type", "zones", "view")

_PROXY: Final = ("proxy_name", "to", "rcode")
_SOCKETS: Final = ("proxy_name", "to", "proto")

_TABLE: Final[tuple[Family, ...]] = (
    # As CoreDNS names them
    Family("coredns_build_info", "gauge", "Always 1; what is running.", ("version", "revision", "goversion")),
    Family("coredns_dns_requests_total", "counter", "Questions.", (*_BLOCK, "proto", "family", "type")),
    Family("coredns_dns_request_duration_seconds", "histogram", "From reading a question to having answered.", _BLOCK),
    Family("coredns_dns_request_size_bytes", "histogram", "Octets of questions.", (*_BLOCK, "proto")),
    Family("coredns_dns_do_requests_total", "counter", "Questions that want DNSSEC records, too.", _BLOCK),
    Family("coredns_dns_response_size_bytes", "histogram", "Octets of replies.", (*_BLOCK, "proto")),
    Family("coredns_dns_responses_total", "counter", "Replies.", (*_BLOCK, "rcode", "plugin")),
    Family("coredns_panics_total", "counter", "Questions that met a fault of the server's own."),
    Family("coredns_plugin_enabled", "gauge", "Always 1; which plugins are on.", (*_BLOCK, "name")),
    Family("coredns_acl_allowed_requests_total", "counter", "Questions that acl let pass.", ("server", "view")),
    Family("coredns_acl_blocked_requests_total", "counter", "Questions that acl refused.", _BLOCK),
    Family("coredns_acl_filtered_requests_total", "counter", "Questions that acl answered with nothing.", _BLOCK),
    Family("coredns_acl_dropped_requests_total", "counter", "Questions that acl met with silence.", _BLOCK),
    Family("coredns_cache_entries", "gauge", "Upstreams' replies kept.", _CACHE_KIND),
    Family("coredns_cache_requests_total", "counter", "Questions for names that upstreams know.", _CACHE),
    Family("coredns_cache_hits_total", "counter", "Of these, those answered with a kept reply.", _CACHE_KIND),
    Family("coredns_cache_misses_total", "counter", "Of these, those answered by an upstream.", _CACHE),
    Family("coredns_cache_evictions_total", "counter", "Replies let go for want of room.", _CACHE_KIND),
    Family(
        "coredns_cache_prefetch_total", "counter", "Questions asked beside the clients, in time or too late.", _CACHE
    ),
    Family("coredns_cache_served_stale_total", "counter", "Questions that got a reply past its time.", _CACHE),
    Family("coredns_cache_drops_total", "counter", "Upstreams' replies that couldn't be used.", _CACHE),
    Family("coredns_template_matches_total", "counter", "Questions that a template answered.", _TEMPLATE),
    Family(
        *("coredns_template_template_failures_total", "counter", "Templates that couldn't be filled."),
        (*_TEMPLATE, "section", "template"),
    ),
    Family(
        *("coredns_template_rr_failures_total", "counter", "Templates that gave no record."),
        (*_TEMPLATE, "section", "template"),
    ),
    Family(
        "coredns_hosts_entries", "gauge", "Addresses of names, and names of addresses.", ("hostsfile",), common=True
    ),
    Family(
        "coredns_hosts_reload_timestamp_seconds",
        "gauge",
        "When the file in use was written, in seconds since 1970.",
        common=True,
    ),
    Family("coredns_dns64_requests_translated_total", "counter", "Replies with addresses made by dns64.", ("server",)),
    Family("coredns_autopath_success_total", "counter", "Questions that autopath found another name for.", ("server",)),
    Family("coredns_local_localhost_requests_total", "counter", "Questions for localhost as a part of a name."),
    Family(
        *("coredns_kubernetes_dns_programming_duration_seconds", "histogram"),
        *("From a change of endpoints in the cluster to its being served.", ("service_kind",)),
    ),
    Family(
        *("coredns_kubernetes_rest_client_requests_total", "counter", "Requests to the API server."),
        ("code", "method", "host"),
    ),
    Family(
        *(
            "coredns_kubernetes_rest_client_request_duration_seconds",
            "histogram",
            "From a request to its answer's head.",
        ),
        ("verb", "host"),
    ),
    Family(
        *("coredns_kubernetes_rest_client_rate_limiter_duration_seconds", "histogram"),
        *("How long requests waited for their turn.", ("verb", "host")),
    ),
    Family("coredns_health_request_duration_seconds", "histogram", "How long /health took to answer kdns itself."),
    Family("coredns_health_request_failures_total", "counter", "How often it gave no good answer."),
    Family("coredns_proxy_request_duration_seconds", "histogram", "From a try's question to its reply.", _PROXY),
    Family("coredns_proxy_healthcheck_failures_total", "counter", "Probes without a reply.", ("proxy_name", "to")),
    Family("coredns_proxy_conn_cache_hits_total", "counter", "Questions sent by sockets that were open.", _SOCKETS),
    Family("coredns_proxy_conn_cache_misses_total", "counter", "Sockets opened for questions.", _SOCKETS),
    Family("coredns_forward_healthcheck_broken_total", "counter", "Questions while all upstreams were down."),
    Family("coredns_forward_max_concurrent_rejects_total", "counter", "Questions that were one too many in flight."),
    # As CoreDNS named them once, for dashboards that still ask so
    Family("coredns_forward_requests_total", "counter", "Questions sent to an upstream.", ("to",)),
    Family("coredns_forward_responses_total", "counter", "Replies of an upstream.", ("to", "rcode")),
    Family("coredns_forward_request_duration_seconds", "histogram", "As that of proxy above.", ("to", "rcode")),
    Family("coredns_forward_healthcheck_failures_total", "counter", "As that of proxy above.", ("to",)),
    Family("kdns_forwarding_loops", "gauge", "Server blocks whose forwarded questions come back; summed over workers."),
    # What CoreDNS lacks: the cluster as kdns sees it
    Family("kdns_freshness_seconds", "gauge", "Time since the last proof that the data is current.", ("resource",)),
    Family("kdns_synced", "gauge", "1 if the resource has been listed whole.", ("resource",)),
    Family("kdns_objects", "gauge", "Objects held.", ("resource",)),
    Family("kdns_relists_total", "counter", "Lists after the first.", ("resource",)),
    Family("kdns_history_resets_total", "counter", "Times the server's history had gone back.", ("resource",)),
    Family("kdns_store_digest", "gauge", "A number that is the same wherever the objects are.", ("resource",)),
    Family(
        "kdns_audits_total", "counter", "Comparisons of all objects with the API server's.", ("resource", "outcome")
    ),
    Family(
        "kdns_audit_repairs_total", "counter", "Objects that an audit found wrong and mended.", ("resource", "kind")
    ),
    Family("kdns_audit_age_seconds", "gauge", "Time since the last audit that came to its end.", ("resource",)),
    Family("kdns_undecodable_total", "counter", "Events and objects that couldn't be read.", ("resource",)),
    Family("kdns_object_problems_total", "counter", "Parts of objects left out because invalid.", ("kind", "field")),
    # What was last known of the cluster, on disk
    Family("kdns_snapshot_enabled", "gauge", "1 if there is a folder for the last known state."),
    Family("kdns_snapshot_serving", "gauge", "1 while answers come from it, in part or whole."),
    Family("kdns_snapshot_age_seconds", "gauge", "Time since what is on disk was known to be current."),
    Family("kdns_snapshot_bytes", "gauge", "Octets on disk."),
    Family("kdns_snapshot_writes_total", "counter", "How often it was written."),
    Family("kdns_snapshot_write_failures_total", "counter", "How often that failed."),
    Family("kdns_snapshot_rejected_total", "counter", "Snapshots that weren't used.", ("reason",)),
    # The configuration
    Family("coredns_reload_failed_total", "counter", "Configurations that couldn't be taken over."),
    Family("coredns_reload_version_info", "gauge", "1 for the configuration that is served.", ("hash", "value")),
    Family("kdns_reloads_total", "counter", "Configurations taken over after the first."),
    Family("kdns_reload_unreadable_total", "counter", "Looks at the configuration's files that found one gone."),
    # The workers
    Family("kdns_change_to_servable_seconds", "histogram", "From a change's being received to its being served."),
    Family("kdns_revision", "gauge", "The revision of the zone that is served.", ("worker",)),
    Family("kdns_worker_restarts_total", "counter", "Workers started again after they ended or stood still."),
    Family("kdns_memo_entries", "gauge", "Replies remembered."),
    Family("kdns_memo_hits_total", "counter", "Questions answered with a remembered reply."),
    Family(
        "kdns_searchpath_questions_total",
        "counter",
        "Questions that searchpath went through a search list for, by namespace and what it found.",
        ("namespace", "result"),
    ),
    Family("kdns_searchpath_asked_total", "counter", "Names that searchpath asked for, by namespace.", ("namespace",)),
    Family("kdns_dropped_total", "counter", "Messages left without a reply.", ("reason",)),
    Family("kdns_connections_closed_total", "counter", "TCP connections that ended, by why.", ("reason",)),
    Family("kdns_log_lines_written_total", "counter", "Lines of log and errors that were written."),
    Family("kdns_log_lines_dropped_total", "counter", "Lines of log and errors that nobody read in time."),
    # Forwarding
    Family("kdns_forward_tries_total", "counter", "Questions sent to an upstream, retries included.", ("to",)),
    Family("kdns_forward_failures_total", "counter", "Tries that brought no usable reply.", ("to", "reason")),
    Family("kdns_forward_ignored_total", "counter", "Replies that didn't fit the question.", ("to",)),
    # The processes, all of them together; Linux only
    Family("process_resident_memory_bytes", "gauge", "Memory of all processes, what they share counted once."),
    Family("process_cpu_seconds_total", "counter", "CPU time of all processes, those that ended included."),
    Family("process_open_fds", "gauge", "Open file descriptors of all processes."),
    Family("process_max_fds", "gauge", "File descriptors that all processes may open."),
    Family("process_start_time_seconds", "gauge", "When the first process started, in seconds since 1970."),
)
FAMILIES: Final[Mapping[str, Family]] = {family.name: family for family in _TABLE}
_SERIES: Final[Mapping[str, Family]] = {name: family for family in _TABLE for name in family.names}

# The values that a client can choose come from closed sets; CoreDNS' own for type.
OTHER: Final = "other"
TYPES: Final = frozenset(
    "A AAAA ANY AXFR CNAME DNSKEY DS HTTPS IXFR MX NS NSEC NSEC3 PTR RRSIG SOA SRV TXT".split()  # noqa: SIM905
)
_CLOSED: Final[Mapping[str, frozenset[str]]] = {"type": TYPES | {"success", "denial"}}  # those of replies, too
_VALUE_LENGTH_MAX: Final = 255  # the longest name as text, nearly; settings and object fields are shorter


def render(samples: Iterable[Sample]) -> str:
    """The page: families in the table's order, HELP and TYPE once each, series in order of their labels.

    A closed label's foreign values are one series, "other". Raises ValueError for what only a mistake in the
    code brings about: a family that the table lacks, a wrong number of labels, a gauge's series given twice.
    """
    pages: dict[str, dict[Series, float]] = {}
    for name, labels, value in samples:
        family = _family(name, labels)
        series = pages.setdefault(family.name, {})
        key = name, bounded(family, labels)
        if key in series and family.type == "gauge":
            raise ValueError(f"the series {name}{labels} twice")
        series[key] = series.get(key, 0.0) + value
    return "".join(_render_family(family, pages[name]) for name, family in FAMILIES.items() if name in pages)


def bounded(family: Family, labels: Labels) -> Labels:
    """The labels, those of a bucket as well, with every value that a closed set lacks as "other", and long ones cut."""
    return tuple(
        (value if value in _CLOSED[name] else OTHER) if name in _CLOSED else value[:_VALUE_LENGTH_MAX]
        for name, value in zip((*family.labels, _BOUND), labels, strict=False)
    )


def merge(reports: Iterable[Counts]) -> dict[Series, float]:
    """The sum of the reports, series by series; of families that are common to all, the greatest value.

    A total must never go back: of a worker that ended, lasting() of its last report stays in the sum.
    """
    total: dict[Series, float] = {}
    for report in reports:
        for series, value in report.items():
            before = total.get(series, 0)
            total[series] = max(before, value) if _SERIES[series[0]].common else before + value
    return total


def lasting(report: Counts) -> dict[Series, float]:
    """What of a report outlives its worker: the counters and histograms, not the gauges."""
    return {series: value for series, value in report.items() if _SERIES[series[0]].type != "gauge"}


def encode_report(counts: Counts) -> bytes:
    """A worker's counts as octets."""
    return json.dumps([(name, labels, value) for (name, labels), value in counts.items()]).encode()


def decode_report(octets: bytes) -> dict[Series, float]:
    """The counts that encode_report wrote. Raises ReportError, also for families that the table lacks."""
    report: dict[Series, float] = {}
    try:
        for name, values, value in json.loads(octets):
            labels = tuple(str(text) for text in values)
            _family(name, labels)
            report[name, labels] = value + 0.0
    except (ValueError, TypeError, RecursionError) as error:
        raise ReportError(f"{len(octets)} octets that are no report: {error}") from error
    return report


def _family(name: str, labels: Labels) -> Family:
    family = _SERIES.get(name)
    if family is None:
        raise ValueError(f"no family {name!r} in the table")
    expected = _labels_of(family, name)
    if len(labels) != len(expected):
        raise ValueError(f"{name} has the labels {expected}, not {labels}")
    return family


def _labels_of(family: Family, name: str) -> tuple[str, ...]:
    """The names of a series' labels."""
    return (*family.labels, _BOUND) if family.type == "histogram" and name == family.names[0] else family.labels


def _render_family(family: Family, series: Mapping[Series, float]) -> str:
    lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.type}"]
    for (name, labels), value in sorted(series.items(), key=lambda item: _place(family, *item[0])):
        named = zip(_labels_of(family, name), labels, strict=True)
        pairs = ",".join(f'{label}="{escape(text)}"' for label, text in named)
        lines.append(f"{name}{{{pairs}}} {_number(value)}" if pairs else f"{name} {_number(value)}")
    return "\n".join(lines) + "\n"


def _place(family: Family, name: str, labels: Labels) -> tuple[Labels, int, float]:
    """Where a series stands among its family's: in order of its labels; of a histogram bound by bound, sum, count."""
    part = family.names.index(name)
    if len(labels) == len(family.labels):
        return labels, part, 0.0
    *rest, bound = labels
    return tuple(rest), part, _bound(bound)


def _bound(text: str) -> float:
    """A bucket's bound; what is none stands last."""
    try:
        return float(text)
    except ValueError:
        return math.inf


def escape(text: str) -> str:
    r"""A label value as the format wants it: \\, \" and \n; other unprintable characters as Python would write them."""
    if text.isprintable() and "\\" not in text and '"' not in text:
        return text
    return "".join(_ESCAPES.get(character) or _visible(character) for character in text)


_ESCAPES: Final[Mapping[str, str]] = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1].replace("\\", "\\\\")


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value == int(value) else repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
