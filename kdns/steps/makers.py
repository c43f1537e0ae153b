"""Which module makes the step of a directive; each is imported where a server block has the directive, and only there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final, TypeAlias, cast

from kdns.config.declarations import Settings
from kdns.config.directives.cache import Cache
from kdns.config.directives.forward import Forward
from kdns.config.directives.kubernetes import Kubernetes
from kdns.steps.around import Around
from kdns.steps.chain import Step

Maker: TypeAlias = Callable[[Settings, Around], Step | None]

_MODULES: Final[Mapping[type[Settings], str]] = {
    Cache: "cache",
    Forward: "forward",
    Kubernetes: "kubernetes",
}


def has_step(settings: Settings) -> bool:
    """Whether the directive is made into a step."""
    return type(settings) in _MODULES


def steps_of(settings: Sequence[Settings], around: Around) -> Iterator[Step]:
    """The steps of a server block, for those of its directives that have one, in their order."""
    for each in settings:
        module = _MODULES.get(type(each))
        if module is not None:
            step = cast("Maker", import_module(f"kdns.steps.{module}").make)(each, around)
            if step is not None:
                yield step
