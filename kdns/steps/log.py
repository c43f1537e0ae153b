"""log: the rules by which a server block's questions are logged.

It is no step: what a line says is known only once there is a reply, so whoever makes replies asks for the rule.
"""

from collections.abc import Sequence
from typing import Final

from kdns.config.declarations import Settings
from kdns.config.directives.log import Log
from kdns.config.directives.replies import Bufsize
from kdns.dns.names import ROOT, Name, is_below
from kdns.steps.lineformat import Context, Format, Rule
from kdns.steps.metadata import labels_of

_ALL: Final = "all"


def rules_of(settings: Sequence[Settings]) -> tuple[Rule, ...]:
    """The rules of a server block's directives, in the order in which they count."""
    sizes = [each.octets for each in settings if isinstance(each, Bufsize)]
    labels = labels_of(settings)
    context = Context(labels, sizes[-1]) if sizes else Context(labels)
    return tuple(_rule(each, context) for each in settings if isinstance(each, Log))


def _rule(log: Log, context: Context) -> Rule:
    sorts = None if _ALL in log.classes else frozenset(log.classes)
    return Rule(log.names, Format(log.format), sorts, context)


def rule_for(rules: Sequence[Rule], name: Name) -> Rule | None:
    """The first rule that covers a name; none if it isn't logged."""
    for rule in rules:
        if ROOT in rule.zones or any(is_below(name, zone) for zone in rule.zones):
            return rule
    return None
