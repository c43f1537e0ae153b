"""The rules of rewrite at work: what each makes of a question that it fits, and of the answer to it.

A rule is a function from a request to what it makes of it. It sees the question as the rules before it left it, and says
what is to be done with the answer; who does so, in which order and with what else, is rewrite's.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from kdns.config.rewriting import (
    ClassRule,
    CnameRule,
    LocalRule,
    NameRule,
    NsidRule,
    RcodeRule,
    RewriteRule,
    SubnetRule,
    TtlRule,
    TypeRule,
)
from kdns.dns.names import Name
from kdns.steps import renaming, rewrite_options
from kdns.steps.chain import Request
from kdns.steps.lineformat import Labels
from kdns.steps.rewritten import Change, back, by_text, with_owners, with_rcode, with_ttl, with_values


class Leading(NamedTuple):
    """What a CNAME's target becomes, which is asked for then."""

    rename: renaming.Rename


class Hit(NamedTuple):
    """What a rule makes of a question that it fits, and of the answer."""

    request: Request
    changes: tuple[Change | Leading, ...] = ()  # the last first
    personal: bool = False  # whether upstreams may answer otherwise by who asks


Apply: TypeAlias = Callable[[Request], Hit | None]


def compiled(rule: RewriteRule, labels: Labels | None) -> Apply:
    """The rule at work."""
    match rule:
        case NameRule():
            return _of_name(rule)
        case TypeRule(source, target):
            return lambda asked: _to_other(asked, qtype=target) if asked.query.qtype == source else None
        case ClassRule(source, target):
            return lambda asked: _to_other(asked, qclass=target) if asked.query.qclass == source else None
        case TtlRule():
            return _of_answer(renaming.fits(rule.source, rule.match), with_ttl(rule.ttl))
        case RcodeRule():
            return _of_answer(renaming.fits(rule.source, rule.match), with_rcode(rule.old, rule.new))
        case CnameRule():
            leading = Leading(renaming.literal_renamer(rule.source, rule.target, rule.match))
            return lambda asked: Hit(asked, (leading,))
        case LocalRule() | NsidRule() | SubnetRule():
            return _of_option(rewrite_options.compiled(rule, labels))


def _to_other(asked: Request, **changes: int) -> Hit:
    return Hit(asked._replace(query=asked.query.replace(**changes)))


def _of_answer(fits: renaming.Fits, change: Change) -> Apply:
    changes = (change,)
    return lambda asked: Hit(asked, changes) if fits(asked.query.name) else None


def _of_option(made: rewrite_options.OptionRule) -> Apply:
    def apply(asked: Request) -> Hit | None:
        request = made.apply(asked)
        return None if request is None else Hit(request, (), made.personal)

    return apply


def _of_name(rule: NameRule) -> Apply:
    rename = renaming.renamer(rule.source, rule.target, rule.match)
    texts = [
        (each.part, renaming.text_change(each.pattern, renaming.absolute(each.target), "exact"))
        for each in rule.answers
    ]
    exact = rule.match == "exact" and isinstance(rule.source, str)
    swapped: renaming.TextChange | None = None
    if rule.auto and rule.match == "suffix" and isinstance(rule.source, str):
        swapped = renaming.text_change(renaming.absolute(rule.target), renaming.absolute(rule.source), "suffix")

    def apply(asked: Request) -> Hit | None:
        query = asked.query
        new = rename(query.name)
        if new is None:
            return None
        changed = query.replace(qname=new)
        changes: list[Change | Leading] = []
        if swapped is not None or exact or rule.auto:
            undo = back(changed.name, query) if swapped is None else by_text(swapped, query)
            changes += (with_owners(undo), with_values(undo))
        for part, change in texts:
            again = by_text(change, query)
            changes.append(with_owners(again) if part == "name" else with_values(again))
        return Hit(asked._replace(query=changed), tuple(changes))

    return apply


class Wanted(NamedTuple):
    """The only names that a rule fits: one, or those that end so."""

    name: Name | None = None
    ending: Name | None = None


def wanted(rule: RewriteRule) -> Wanted | None:
    """Which names a rule fits at the most; None for any."""
    if not isinstance(rule, (NameRule, TtlRule, RcodeRule)) or not isinstance(rule.source, str):
        return None
    source = renaming.absolute(rule.source)
    if rule.match == "exact":
        return Wanted(name=renaming.name_or_none(source))
    if rule.match == "suffix" and (ending := renaming.ending(source)) is not None:
        return Wanted(ending=ending)
    return None


def is_of_names(rule: RewriteRule) -> bool:
    """Whether it is the question's name that a rule fits."""
    return isinstance(rule, (NameRule, TtlRule, RcodeRule))
