"""The makers of steps: each module of a directive is imported where a server block has the directive, and only there."""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TypeAlias, cast

from kdns.config.declarations import Settings
from kdns.config.served import STEPS
from kdns.steps.around import Around
from kdns.steps.chain import Step

Maker: TypeAlias = Callable[[Settings, Around], Step | None]


def steps_of(settings: Sequence[Settings], around: Around) -> Iterator[Step]:
    """The steps of a server block, for those of its directives that have one, in their order."""
    for each in settings:
        module = STEPS.get(type(each))
        if module is not None:
            step = cast("Maker", import_module(f"kdns.steps.{module}").make)(each, around)
            if step is not None:
                yield step
