"""The makers of steps: each module of a directive is imported where a server block has the directive, and only there."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import groupby
from typing import Final, TypeAlias, cast

from kdns.config.declarations import Settings
from kdns.config.directives.acl import Acl
from kdns.config.directives.rewrite import Rewrite
from kdns.config.directives.zonefiles import File, Transfer
from kdns.config.served import STEPS
from kdns.steps.around import Around
from kdns.steps.chain import Step

Maker: TypeAlias = Callable[[Settings | Sequence[Settings], Around], Step | None]

# Directives whose lines are one step together: one of rewrite's may end those behind it, zones may lie in each other, and
# the first acl that fits decides.
_TOGETHER: Final = (Acl, File, Rewrite, Transfer)


def steps_of(settings: Sequence[Settings], around: Around) -> Iterator[Step]:
    """The steps of a server block, for those of its directives that have one, in their order."""
    for kind, lines in groupby(settings, type):
        module = STEPS.get(kind)
        if module is not None:
            make = cast("Maker", import_module(f"kdns.steps.{module}").make)
            for each in [tuple(lines)] if kind in _TOGETHER else lines:
                step = make(each, around)
                if step is not None:
                    yield step
