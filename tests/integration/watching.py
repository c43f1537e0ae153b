"""A source at work on the lab, as tests follow it: its log, when something comes of it, and its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from kdns.sources.api import ApiSource

_PATIENCE_S: Final = 40.0


class Watching:
    """What a source emits into and logs to; whoever takes the deltas says so by changed."""

    source: ApiSource

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.changed = asyncio.Event()

    def info(self, event: str, /, **keys: Any) -> None:
        self.lines.append((event, keys))
        self.changed.set()

    def warning(self, event: str, /, **keys: Any) -> None:
        self.info(event, **keys)

    async def until(self, condition: Callable[[], object]) -> None:
        """Until the condition holds; looked at whenever something was emitted or logged."""
        async with asyncio.timeout(_PATIENCE_S):
            while not condition():
                await self.changed.wait()
                self.changed.clear()

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Runs the source while this lasts."""
        task = asyncio.create_task(self.source.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
