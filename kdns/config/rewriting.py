"""What a rule of rewrite says, as values; config.directives.rewrite says how each is written."""

from typing import Literal, NamedTuple, TypeAlias

from kdns.config.patterns import Pattern

Match: TypeAlias = Literal["exact", "prefix", "suffix", "substring"]
Part: TypeAlias = Literal["name", "value"]
Action: TypeAlias = Literal["set", "append", "replace"]
EdnsAction: TypeAlias = Action | Literal["unset"]


class Answer(NamedTuple):
    """Names of the reply that are changed: owners, or names in the data. {1} in the target is a group's text."""

    part: Part
    pattern: Pattern
    target: str


class NameRule(NamedTuple):
    """The question's name is changed; a pattern is a match of its own."""

    source: str | Pattern
    target: str
    match: Match = "exact"
    auto: bool = False  # whether names in the reply are changed back
    answers: tuple[Answer, ...] = ()


class TypeRule(NamedTuple):
    """The question's type is changed."""

    source: int
    target: int


class ClassRule(NamedTuple):
    """The question's class is changed."""

    source: int
    target: int


class Range(NamedTuple):
    """The least and the most seconds."""

    least: int
    most: int


class TtlRule(NamedTuple):
    """TTLs of the reply are brought into a range."""

    source: str | Pattern
    ttl: Range
    match: Match = "exact"


class RcodeRule(NamedTuple):
    """An rcode becomes another."""

    source: str | Pattern
    old: int
    new: int
    match: Match = "exact"


class CnameRule(NamedTuple):
    """A CNAME leads to another name, which is asked for."""

    source: str | Pattern
    target: str
    match: Match = "exact"


class LocalRule(NamedTuple):
    """An EDNS option of some number; data is None where it is taken out, a word in braces stands for a value."""

    code: int
    action: EdnsAction = "unset"
    data: str | bytes | None = None
    revert: bool = False


class NsidRule(NamedTuple):
    """The EDNS option that asks for the server's name."""

    action: EdnsAction = "unset"
    revert: bool = False


class SubnetRule(NamedTuple):
    """The EDNS option that tells of the client's network, with so many bits of its address."""

    action: EdnsAction = "unset"
    ipv4_bits: int = 0
    ipv6_bits: int = 0
    revert: bool = False


RewriteRule: TypeAlias = (
    NameRule | TypeRule | ClassRule | TtlRule | RcodeRule | CnameRule | LocalRule | NsidRule | SubnetRule
)
