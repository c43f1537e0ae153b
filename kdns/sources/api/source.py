"""The API server's source: the hands of a reflector for each resource, and what they share: account, pace, and turns at audits.

Where one of them finds that another cluster answers than before, all begin anew.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from random import SystemRandom
from typing import Final

from kdns.cluster.decode import DecodeOptions
from kdns.cluster.objects import Key, Problem, Resource, Stamp
from kdns.cluster.reflector import Reflector
from kdns.cluster.selection import ALL, Selector, written
from kdns.config.settings import ClusterSource
from kdns.sources.api.account import account_of
from kdns.sources.api.hands import Emit, Hands, Shared
from kdns.sources.api.pacing import Pace
from kdns.sources.api.requests import Requests
from kdns.sources.api.telling import Log
from kdns.sources.credentials import Account
from kdns.sources.status import ResourceStatus

_ALL: Final[Mapping[Resource, Selector]] = {}


class ApiSource:
    """Keeps the cluster's objects coming, whatever the API server does."""

    def __init__(
        self,
        settings: ClusterSource,
        *,
        resources: Sequence[Resource],
        optional: frozenset[Resource],
        decode_options: DecodeOptions,
        stamp: Callable[[Resource, Key], Stamp | None],
        keys: Callable[[Resource], Iterable[Key]],
        emit: Emit,
        report: Callable[[Problem], None],
        log: Log,
        account: Account | None = None,
        selectors: Mapping[Resource, Selector] = _ALL,
    ) -> None:
        """Takes, among others, stamp: which state of an object was last emitted; keys: of all objects that are there;
        account: in place of the settings'; and selectors: of such a resource, objects without these labels aren't there.

        Optional resources never hold up Synced. Raises SourceError where there is no such kubeconfig, or no pod.
        """
        self.account = account or account_of(settings, os.environ)
        self.requests: Final = Requests()
        random = SystemRandom().random
        shared = Shared(
            account=self.account,
            pace=Pace(settings.limits, _now),
            random=random,
            emit=emit,
            log=log,
            audit_s=settings.audit_s,
            turn=asyncio.Lock(),
            requests=self.requests,
            begin_anew=self._begin_anew,
        )
        self._hands = {
            resource: Hands(
                Reflector(
                    resource,
                    known=partial(stamp, resource),
                    random=random,
                    report=report,
                    options=decode_options,
                    optional=resource in optional,
                    selector=written(selectors.get(resource, ALL)),
                ),
                partial(keys, resource),
                shared,
            )
            for resource in resources
        }

    async def run(self) -> None:
        """Emits deltas until cancelled. Raises SourceError only at once: where there are no credentials to begin with."""
        await self.account.credentials()
        async with asyncio.TaskGroup() as tasks:
            for hands in self._hands.values():
                tasks.create_task(hands.run())

    def status(self) -> dict[Resource, ResourceStatus]:
        """How each resource is doing. To be called in the loop that run is in."""
        now = asyncio.get_running_loop().time()
        return {resource: hands.status(now) for resource, hands in self._hands.items()}

    def counts(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """What requests have come to, as series for the page of metrics."""
        return dict(self.requests.series())

    def _begin_anew(self) -> None:
        for hands in self._hands.values():
            hands.begin_anew()


def _now() -> float:
    return asyncio.get_running_loop().time()
