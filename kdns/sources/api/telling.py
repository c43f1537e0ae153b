"""Telling: what has changed of a reflector, as lines of the log, once for each change."""

from typing import Any, Protocol

from kdns.cluster.reflector import Reflector


class Log(Protocol):
    """What is needed of a structlog logger."""

    def info(self, event: str, /, **keys: Any) -> Any: ...
    def warning(self, event: str, /, **keys: Any) -> Any: ...


class Teller:
    """Of one resource."""

    __slots__ = ("_audit", "_log", "_reflector", "_repairs", "_rewinds", "_synced", "_trouble")

    def __init__(self, reflector: Reflector, log: Log) -> None:
        self._reflector = reflector
        self._log = log
        self._synced = False
        self._trouble: str | None = None
        self._rewinds = 0
        self._repairs: dict[str, int] = {}
        self._audit: str | None = None

    def tell(self) -> None:
        """Logs what is otherwise than when it was told last."""
        resource, counters = self._reflector.resource, self._reflector.counters
        if self._reflector.synced and not self._synced:
            self._synced = True
            self._log.info("resource_synced", resource=resource)
        if counters.rewinds != self._rewinds:
            self._rewinds = counters.rewinds
            self._log.warning("history_reset", resource=resource)
        if counters.repairs != self._repairs:
            mended = {kind: count - self._repairs.get(kind, 0) for kind, count in counters.repairs.items()}
            self._repairs = dict(counters.repairs)
            self._log.warning("audit_repaired", resource=resource, **{kind: new for kind, new in mended.items() if new})
        if self._reflector.trouble != self._trouble:
            self._trouble = self._reflector.trouble
            if self._trouble is None:
                self._log.info("resource_recovered", resource=resource)
            else:
                self._log.warning("resource_in_trouble", resource=resource, reason=self._trouble)

    def audit(self, reason: str | None) -> None:
        """Logs why audits fail, once for each reason; None where one has come to its end."""
        if reason is not None and reason != self._audit:
            self._log.warning("audit_failed", resource=self._reflector.resource, reason=reason)
        self._audit = reason
