"""rewrite: questions are changed before they are answered, and answers back.

A rule is what stands behind the mode, on the directive's line or in its block.
"""

from typing import Final, Literal, TypeAlias, get_args

from kdns.config.declarations import Directive, Law, Rule, Settings, argument, rules
from kdns.config.domains import rcode, record_class, record_type
from kdns.config.forms import Form, UnfitError
from kdns.config.kinds import PATTERN, is_whole, of_text, text, whole, words
from kdns.config.patterns import Pattern
from kdns.config.rewriting import (
    Action,
    Answer,
    ClassRule,
    CnameRule,
    LocalRule,
    Match,
    NameRule,
    NsidRule,
    Part,
    Range,
    RcodeRule,
    RewriteRule,
    SubnetRule,
    TtlRule,
    TypeRule,
)
from kdns.config.shapes import GIVEN, Shape, each, record
from kdns.dns import names
from kdns.dns.names import NameTextError

Mode: TypeAlias = Literal["stop", "continue"]

_TTL_MAX_S: Final = 2**31 - 1
_UINT32_MAX: Final = 2**32 - 1
_UINT16_MAX: Final = 65535


def _range(text_: str) -> Range:
    low, dash, high = text_.partition("-")
    if not dash:
        high = low
    if (not low and not high) or any(part and not (part.isdigit() and is_whole(part)) for part in (low, high)):
        raise ValueError(text_)
    found = Range(int(low or 0), int(high) if high else _TTL_MAX_S)
    if found.least > found.most or found.most > _UINT32_MAX:
        raise ValueError(text_)
    return found


def _code(text_: str) -> int:
    digits = text_.lower()
    number = (
        int(digits, 16) if digits.startswith("0x") and "_" not in digits else int(digits) if is_whole(digits) else -1
    )
    if not 0 <= number <= _UINT16_MAX:
        raise ValueError(text_)
    return number


def _data(text_: str) -> str | bytes:
    if text_.startswith("0x"):
        return bytes.fromhex(text_[2:])
    if text_.startswith("{") and text_.endswith("}"):
        if text_ not in _VARIABLES and not 0 < text_.find("/") - 1 < len(text_) - 3:
            raise UnfitError(f"one of {', '.join(_VARIABLES)}, or the label of a metadatum in braces")
        return text_
    return text_.encode("utf-8", "surrogateescape")


_VARIABLES: Final = ("{qname}", "{qtype}", "{client_ip}", "{client_port}", "{protocol}")
_MATCH: Final = words(get_args(Match), any_case=True)
_SOURCE: Final = text("a name or a part of one", "old.example.org")
_TARGET: Final = text("a name, with {1} for what a group fits", "new.example.org")
_RCODE: Final = rcode()
_TTL: Final = of_text("seconds, or a range such as 30-300, 30- or -300", _range, "30-300")
_CODE: Final = of_text("the number of an EDNS option such as 0xffee", _code, "0xffee")
_DATA: Final = of_text("a text, octets as 0x6162, or a word in braces", _data, "abcd")
_ACTION: Final = words(get_args(Action), any_case=True)
_IPV4_BITS: Final = whole(0, 32)
_IPV6_BITS: Final = whole(0, 128)
_BACK: Final = "[answer (auto | PART REGEX REPLACEMENT) [[answer] (auto | PART REGEX REPLACEMENT)]...]"
_ANSWERS: Final = each(
    Answer, part=("PART", words(get_args(Part))), pattern=("REGEX", PATTERN), target=("REPLACEMENT", _TARGET)
)


def _rule(form: str, shape: Shape[object], doc: str) -> Rule:
    return Rule(Form(form, any_case=True), shape, doc)


class Rewrite(Settings):
    """A rule, and whether those behind it are looked at."""

    mode: Mode = argument(
        "MODE",
        words(get_args(Mode), any_case=True),
        default="stop",
        doc="Whether the rules behind are looked at after this one.",
    )
    rule: RewriteRule = rules(
        "RULE",
        _rule(
            f"name regex FROM TO {_BACK}",
            record(
                NameRule,
                source=("FROM", PATTERN),
                target=("TO", _TARGET),
                auto=("auto", GIVEN),
                answers=("PART", _ANSWERS),
            ),
            "The question's name, where a regular expression fits.",
        ),
        _rule(
            f"name [MATCH] FROM TO {_BACK}",
            record(
                NameRule,
                source=("FROM", _SOURCE),
                target=("TO", _TARGET),
                match=("MATCH", _MATCH),
                auto=("auto", GIVEN),
                answers=("PART", _ANSWERS),
            ),
            "The question's name, where it is FROM, or begins with it, ends in it or has it in it.",
        ),
        _rule(
            "type FROM TO",
            record(TypeRule, source=("FROM", record_type(any_case=True)), target=("TO", record_type(any_case=True))),
            "The question's type.",
        ),
        _rule(
            "class FROM TO",
            record(ClassRule, source=("FROM", record_class(any_case=True)), target=("TO", record_class(any_case=True))),
            "The question's class.",
        ),
        _rule(
            "ttl regex FROM SECONDS",
            record(TtlRule, source=("FROM", PATTERN), ttl=("SECONDS", _TTL)),
            "TTLs of the reply, where a regular expression fits the question's name.",
        ),
        _rule(
            "ttl [MATCH] FROM SECONDS",
            record(TtlRule, source=("FROM", _SOURCE), ttl=("SECONDS", _TTL), match=("MATCH", _MATCH)),
            "TTLs of the reply, by the question's name.",
        ),
        _rule(
            "rcode regex FROM OLD NEW",
            record(RcodeRule, source=("FROM", PATTERN), old=("OLD", _RCODE), new=("NEW", _RCODE)),
            "The reply's rcode, where a regular expression fits the question's name.",
        ),
        _rule(
            "rcode [MATCH] FROM OLD NEW",
            record(
                RcodeRule, source=("FROM", _SOURCE), old=("OLD", _RCODE), new=("NEW", _RCODE), match=("MATCH", _MATCH)
            ),
            "The reply's rcode, by the question's name.",
        ),
        _rule(
            "cname regex FROM TO",
            record(CnameRule, source=("FROM", PATTERN), target=("TO", _TARGET)),
            "What a CNAME leads to, where a regular expression fits it; the new name is asked for.",
        ),
        _rule(
            "cname [MATCH] FROM TO",
            record(CnameRule, source=("FROM", _SOURCE), target=("TO", _TARGET), match=("MATCH", _MATCH)),
            "What a CNAME leads to; the new name is asked for.",
        ),
        _rule(
            "edns0 local (unset CODE | ACTION CODE DATA [revert])",
            record(
                LocalRule,
                code=("CODE", _CODE),
                action=("ACTION", _ACTION),
                data=("DATA", _DATA),
                revert=("revert", GIVEN),
            ),
            "An EDNS option of the question by its number.",
        ),
        _rule(
            "edns0 nsid (unset | ACTION [revert])",
            record(NsidRule, action=("ACTION", _ACTION), revert=("revert", GIVEN)),
            "The EDNS option NSID of the question.",
        ),
        _rule(
            "edns0 subnet (unset | ACTION IPV4BITS IPV6BITS [revert])",
            record(
                SubnetRule,
                action=("ACTION", _ACTION),
                ipv4_bits=("IPV4BITS", _IPV4_BITS),
                ipv6_bits=("IPV6BITS", _IPV6_BITS),
                revert=("revert", GIVEN),
            ),
            "The EDNS option CLIENT-SUBNET of the question.",
        ),
        doc="What is changed.",
    )


def _has_the_groups(rewrite: Rewrite) -> bool:
    """Whether no target asks for a group that its pattern doesn't have."""
    rule = rewrite.rule
    pairs: list[tuple[object, str]] = []
    if isinstance(rule, NameRule):
        pairs += [(rule.source, rule.target), *((answer.pattern, answer.target) for answer in rule.answers)]
    elif isinstance(rule, CnameRule):
        pairs += [(rule.source, rule.target)]
    return all(_groups_used(target) <= source.groups for source, target in pairs if isinstance(source, Pattern))


def _groups_used(target: str) -> int:
    return max((number for number in range(101) if f"{{{number}}}" in target), default=0)


def _leads_to_a_name(rewrite: Rewrite) -> bool:
    """Whether a target that is a name as it stands is one."""
    rule = rewrite.rule
    if not isinstance(rule, (NameRule, CnameRule)) or rule.match != "exact" or isinstance(rule.source, Pattern):
        return True
    try:
        return bool(names.from_text(rule.target))
    except (NameTextError, UnicodeEncodeError):
        return False


def _is_auto_or_named(rewrite: Rewrite) -> bool:
    rule = rewrite.rule
    return not (isinstance(rule, NameRule) and rule.auto and any(each.part == "name" for each in rule.answers))


DIRECTIVE: Final = Directive(
    Rewrite,
    "rewrite [MODE] RULE...",
    doc="Changes questions before they are answered, and replies.",
    repeat="each",
    joins_block=True,
    any_case=True,
    differs=(
        "A client's question always comes back as it was asked; of CoreDNS it comes back changed after a continue alone.",
        "Names that are changed back have the case in which they were asked for; those in answers fit in any case.",
        "Of what upstreams say only what belongs to the question is kept where a rule changes the question or the answer.",
        "cname leads only the first CNAME that fits elsewhere, and the rcode is that of the new target.",
        "A rule that makes an impossible name of an answer is SERVFAIL, where CoreDNS says nothing.",
        "Of a client's EDNS options none goes to upstreams, but those that rules name, as they leave them.",
        "Replies never have such an option, as if every rule said revert; append leaves one that is there.",
        "{server_ip} and {server_port} aren't known, and are errors.",
    ),
    laws=(
        Law(_has_the_groups, "found a group in a target, such as {2}, that its regular expression doesn't have"),
        Law(_leads_to_a_name, "found TO that is no domain name"),
        Law(_is_auto_or_named, "found answer auto and answer name, expected one of them"),
    ),
)
