"""The search path: which absolute names a resolver asks for, in which order, for a name that may be short.

As glibc walks: a name with as many dots as ndots is asked for as it is first, any other last; a final dot means the name as
it is alone. What a pod's resolv.conf says follows from its dnsPolicy and dnsConfig as the kubelet has it.
Sources: resolv.conf(5), glibc's res_search; Kubernetes "DNS for Services and Pods"; kubelet, pkg/kubelet/network/dns.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from kdns.config.resolvconf import NDOTS, NDOTS_MAX
from kdns.dns import names, types
from kdns.dns.names import NameTextError
from kdns.explain.explanation import Path

SEARCH_MAX: Final = 32  # the kubelet's
SEARCH_OCTETS_MAX: Final = 2048  # the kubelet's, of the whole line's names
NAMESERVERS_MAX: Final = 3  # the kubelet's, and glibc's


class QuestionError(ValueError):
    """What can't be asked for; the message says what was found and what was expected."""


class Option(msgspec.Struct):
    name: str = ""
    value: str | None = None


class Config(msgspec.Struct):
    """A pod's spec.dnsConfig."""

    nameservers: list[str] | None = None
    searches: list[str] | None = None
    options: list[Option] | None = None


class PodSpec(msgspec.Struct, rename="camel"):
    """What of a pod's spec decides its resolv.conf."""

    dns_policy: str = "ClusterFirst"
    host_network: bool = False
    dns_config: Config | None = None


def pod_spec(pod: Any) -> PodSpec:
    """Of a Pod as JSON or YAML has it. Raises QuestionError."""
    spec = pod.get("spec") if isinstance(pod, dict) else None
    try:
        return msgspec.convert(spec or {}, PodSpec, strict=False)
    except msgspec.ValidationError as error:
        raise QuestionError(f"found a pod whose spec can't be read, expected its DNS settings: {error}") from error


class Question(NamedTuple):
    """What is to be explained."""

    name: str  # as given, or the reverse name of an address that was given
    types: tuple[int, ...]
    path: Path


class Node(NamedTuple):
    """What a node's own resolv.conf says beside its name servers."""

    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


_UNKNOWN_NODE: Final = Node()


def of_namespace(namespace: str, zone: str) -> Path:
    """The path of a pod with dnsPolicy ClusterFirst; zone is the cluster's, without final dot."""
    search = (f"{namespace}.svc.{zone}", f"svc.{zone}", zone)
    return Path(whose=f"a pod in {namespace}", search=search, ndots=NDOTS)


def of_pod(spec: PodSpec, namespace: str, name: str, zone: str) -> Path:
    """The path of this pod, as far as its own spec and the cluster decide it."""
    told = resolving(spec, namespace, zone)
    return Path(whose=f"pod {namespace}/{name}", search=told.search, ndots=told.ndots, note=told.note)


class Resolving(NamedTuple):
    """A pod's resolv.conf as its kubelet writes it."""

    search: tuple[str, ...]
    options: tuple[str, ...]  # "ndots:5"
    nameservers: tuple[str, ...]  # those of its dnsConfig
    note: str  # who else is asked than the cluster's DNS; empty where nobody is

    @property
    def ndots(self) -> int:
        """From how many dots on a name is asked for as it is first."""
        found = [each.partition(":")[2] for each in self.options if each.startswith("ndots:")]
        return min(int(found[-1][:4]), NDOTS_MAX) if found and found[-1].isdecimal() else 1


def resolving(spec: PodSpec, namespace: str, zone: str, node: Node = _UNKNOWN_NODE) -> Resolving:
    """What the kubelet of such a node tells the pod; of a node that isn't known, nothing."""
    policy = spec.dns_policy or "ClusterFirst"
    config = spec.dns_config or Config()
    of_node = policy == "Default" or (policy == "ClusterFirst" and spec.host_network)
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    note = ""
    if of_node:
        search, options = node
        why = "hostNetwork with dnsPolicy ClusterFirst" if policy == "ClusterFirst" else "dnsPolicy Default"
        note = f"{why}: it asks its node's name servers, not the cluster's, and searches what the node does"
    elif policy == "None":
        note = f"dnsPolicy None: it asks {', '.join(config.nameservers or ()) or 'nobody'}"
    else:
        search = (*of_namespace(namespace, zone).search, *node.search)
        options = (f"ndots:{NDOTS}",)
        note = f"besides the cluster's it asks {', '.join(config.nameservers)}" if config.nameservers else ""
    added = (each.rstrip(".") for each in config.searches or () if each.rstrip("."))
    return Resolving(
        _fitting(dict.fromkeys((*search, *added))),
        _merged(options, config.options or ()),
        tuple(dict.fromkeys(config.nameservers or ()))[:NAMESERVERS_MAX],
        note,
    )


def _fitting(search: Iterable[str]) -> tuple[str, ...]:
    """As many of the domains as a pod may have."""
    kept: list[str] = []
    octets = 0
    for each in islice(search, SEARCH_MAX):
        octets += len(each) + 1
        if octets - 1 > SEARCH_OCTETS_MAX:
            break
        kept.append(each)
    return tuple(kept)


def _merged(options: Iterable[str], others: Iterable[Option]) -> tuple[str, ...]:
    """The options, of which a pod's own count."""
    values = {each.partition(":")[0]: each for each in options}
    values |= {each.name: f"{each.name}:{each.value}" if each.value else each.name for each in others if each.name}
    return tuple(values.values())


def question(name: str, rtype: int | None, path: Path) -> Question:
    """What is to be asked: an address is its reverse name; without a type those that programs ask for. Raises QuestionError."""
    try:
        pointer = f"{ip_address(name).reverse_pointer}."
    except ValueError:
        pointer = ""
    asked = pointer or name
    _check(asked)
    kinds: tuple[int, ...] = (types.A, types.AAAA)
    if rtype is not None:
        kinds = (rtype,)
    elif pointer or asked.rstrip(".").lower().endswith((".in-addr.arpa", ".ip6.arpa")):
        kinds = (types.PTR,)
    elif asked.startswith("_"):
        kinds = (types.SRV,)
    return Question(asked, kinds, path)


def candidates(name: str, path: Path) -> list[str]:
    """The absolute names that are asked for, in this order, each once; those too long for the DNS are left out."""
    bare = name.rstrip(".")
    if name.endswith("."):
        return [f"{bare}."]
    searched = [f"{bare}.{domain}." for domain in path.search]
    order = [f"{bare}.", *searched] if bare.count(".") >= path.ndots else [*searched, f"{bare}."]
    return list(dict.fromkeys(_askable(order)))


def _askable(texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        try:
            names.from_text(text)
        except NameTextError:
            continue
        yield text


def _check(name: str) -> None:
    try:
        names.from_text(name)
    except (NameTextError, UnicodeEncodeError) as error:
        raise QuestionError(f'found "{name}", expected a name or an address: {error}') from error
    if not name.strip("."):
        raise QuestionError(f'found "{name}", expected a name or an address')
    if any(each.isspace() or not each.isprintable() for each in name):
        raise QuestionError(f"found {name!a}, expected a name without white space")
