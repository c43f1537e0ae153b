"""The certificate of a tls:// listener, and the one in its place when the files change.

A damaged file leaves what there is; connections that stand keep theirs. Standards: RFC 7858, RFC 8310 section 9.1 (TLS 1.2
at the least).
"""

import asyncio
import os
import ssl
from typing import Any, Final, Protocol

from kdns.config.directives.places import ClientAuth, Tls
from kdns.config.settings import SettingsError

LOOK_S: Final = 10.0  # between looks at the files

_ASKED: Final[dict[ClientAuth, ssl.VerifyMode]] = {
    "nocert": ssl.CERT_NONE,
    "request": ssl.CERT_OPTIONAL,
    "require": ssl.CERT_REQUIRED,
    "verify_if_given": ssl.CERT_OPTIONAL,
    "require_and_verify": ssl.CERT_REQUIRED,
}


class Log(Protocol):
    """What of a structlog logger is used here."""

    def info(self, event: str, **keys: Any) -> Any: ...
    def error(self, event: str, **keys: Any) -> Any: ...


class Certificate:
    """A listener's side of TLS."""

    __slots__ = ("_log", "_loop", "_seen", "_settings", "context")

    def __init__(self, settings: Tls, loop: asyncio.AbstractEventLoop, log: Log) -> None:
        """Reads the files, and looks at them again from time to time. Raises SettingsError."""
        self.context = context_of(settings)
        self._settings = settings
        self._loop = loop
        self._log = log
        self._seen = self._state()
        loop.call_later(LOOK_S, self._look)

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        """What tells whether the files are other ones; a ConfigMap or Secret changes by a symbolic link."""
        found = []
        for path in (self._settings.certificate, self._settings.key):
            try:
                stat = os.stat(path)  # noqa: PTH116 - the path is text
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def _look(self) -> None:
        self._loop.call_later(LOOK_S, self._look)
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            context_of(self._settings)  # in place of the old only if all of it is sound
            self.context.load_cert_chain(self._settings.certificate, self._settings.key)
        except (SettingsError, OSError) as error:
            self._log.error("certificate_unreadable", reason=str(error))
        else:
            self._log.info("certificate_read", file=self._settings.certificate)


def context_of(settings: Tls) -> ssl.SSLContext:
    """The context that the files make. Raises SettingsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["dot"])
    context.verify_mode = _ASKED[settings.client_auth]
    try:
        context.load_cert_chain(settings.certificate, settings.key)
        if settings.authorities is not None:
            context.load_verify_locations(settings.authorities)
        elif context.verify_mode != ssl.CERT_NONE:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        if settings.key_log is not None:
            context.keylog_filename = settings.key_log
    except OSError as error:  # ssl.SSLError is one
        files = f"{settings.certificate}, {settings.key}"
        raise SettingsError(f"tls: found no certificate with its key in {files}: {error}") from error
    return context
