"""Accounts: whose credentials requests carry, a kubeconfig's, a client certificate's or the pod's.

A kubeconfig is read here where its user is plain, else by a child process (login says why), again
before what it gave expires and after a 401. While that fails, what is still good is used. Knows nothing of what is in a
kubeconfig, and doesn't import the client library.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from kdns.config.settings import ApiEndpoint, ClusterSource
from kdns.sources.api.answer import Answer
from kdns.sources.credentials import Account, ClientCertificate, Credentials, InPod, TokenFile
from kdns.sources.errors import SourceError

LOGIN_LIMIT_S: Final = 60.0  # a plugin that asks somebody something takes its time, but nobody is there
_EARLY_S: Final = 60.0  # before it expires a token is renewed, so that none expires on its way


def account_of(settings: ClusterSource, environment: Mapping[str, str]) -> Account:
    """The kubeconfig's account where one or a context is named, else that of a URL, else the pod's. Raises SourceError."""
    if settings.kubeconfig is None and settings.context is None:
        return InPod(environment) if settings.endpoint is None else EndpointAccount(settings.endpoint)
    # Imported here, as it brings the YAML parser, which a pod has no use for.
    from kdns.sources.api.kubeconfig import locate  # noqa: PLC0415

    return KubeconfigAccount(locate(settings.kubeconfig, environment), settings.context)


class EndpointAccount:
    """The account that a client certificate is, or nobody's."""

    __slots__ = ("_credentials",)

    def __init__(self, endpoint: ApiEndpoint) -> None:
        """Raises SourceError where the URL is none, or a file isn't there."""
        for path in filter(None, (endpoint.certificate, endpoint.key, endpoint.authorities)):
            if not Path(path).is_file():
                raise SourceError(f"{path}: no such file, expected PEM for the API server {endpoint.url}")
        client = ClientCertificate(endpoint.certificate, endpoint.key) if endpoint.certificate else None
        self._credentials = Credentials(url_of(endpoint), ca=endpoint.authorities, client=client)
        self._credentials.peer()

    async def credentials(self) -> Credentials:
        """The same each time; the files are read again for each connection."""
        return self._credentials

    def refused(self, credentials: Credentials) -> None:
        """Nothing can be done about it; files that somebody mends are read again anyway."""


def url_of(endpoint: ApiEndpoint) -> str:
    """The URL, whose scheme may be left out, as client-go has it: https where TLS is configured."""
    if "://" in endpoint.url:
        return endpoint.url.rstrip("/")
    scheme = "https" if endpoint.certificate or endpoint.authorities else "http"
    return f"{scheme}://{endpoint.url.rstrip('/')}"


class KubeconfigAccount:
    """The account of a context in kubeconfig files."""

    __slots__ = ("_context", "_current", "_expires", "_lock", "_paths", "_refused", "_token")

    def __init__(self, paths: list[Path], context: str | None) -> None:
        self._paths = paths
        self._context = context
        self._lock = asyncio.Lock()
        self._current: Credentials | None = None
        self._expires = float("inf")  # by the loop's clock
        self._refused = False
        self._token: TokenFile | None = None

    async def credentials(self) -> Credentials:
        """The credentials of the moment. Raises SourceError."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._current is None or self._refused or now >= self._expires - _EARLY_S:
                await self._renew(now)
            current = self._current
        assert current is not None
        if self._token is None:
            return current
        return replace(current, authorization=self._token.authorization())

    def refused(self, credentials: Credentials) -> None:
        """Has the kubeconfig read again, unless that has been done since these credentials were given."""
        if self._token:
            self._token.refused()
        elif credentials == self._current:
            self._refused = True

    async def _renew(self, now: float) -> None:
        from kdns.sources.api.kubeconfig import plain_answer  # noqa: PLC0415 - as above

        try:
            answer = plain_answer(self._paths, self._context) or await _log_in(self._paths, self._context)
        except SourceError:
            if self._current is None or self._refused or now >= self._expires:
                raise
            return
        self._current = _credentials(answer)
        self._token = TokenFile(Path(answer.token_file)) if answer.token_file else None
        self._expires = float("inf") if answer.lifetime_s is None else now + answer.lifetime_s
        self._refused = False


def _credentials(answer: Answer) -> Credentials:
    return Credentials(
        answer.server,
        answer.authorization,
        ca=answer.ca,
        client=ClientCertificate(answer.certificate, answer.key) if answer.certificate else None,
        server_name=answer.server_name or None,
        insecure=answer.insecure,
    )


async def _log_in(paths: list[Path], context: str | None) -> Answer:
    """What the child process found. Raises SourceError."""
    files = [str(path) for path in paths]
    child = await asyncio.create_subprocess_exec(
        # -P: a file in the current folder that is named as a library mustn't take its place.
        *(sys.executable, "-P", "-m", "kdns.sources.api.login", context or "", *files),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # so that what a plugin leaves behind can be ended with it
    )
    try:
        async with asyncio.timeout(LOGIN_LIMIT_S):
            out, err = await child.communicate()
    except TimeoutError as error:
        raise SourceError(
            f"{os.pathsep.join(files)}: no credentials within {LOGIN_LIMIT_S:g} s; does an exec plugin wait for input?"
        ) from error
    finally:
        if child.returncode is None:
            os.killpg(child.pid, 9)
            await child.wait()
    return _read_answer(out, err, files)


def _read_answer(out: bytes, err: bytes, files: list[str]) -> Answer:
    try:
        answer = msgspec.json.decode(out, type=Answer)
    except msgspec.MsgspecError as error:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SourceError(f"{os.pathsep.join(files)}: reading it failed: {last or error}") from error
    if answer.error:
        raise SourceError(answer.error)
    return answer
