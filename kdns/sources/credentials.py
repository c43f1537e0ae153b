"""Credentials: where the API server is, how to know it, and how to be known to it.

Credentials are a value; an Account gives them, again before each request, since tokens are
rotated. Here is the account of a pod, from its environment and its service account's folder;
that of a kubeconfig is kubeconfig's. Knows nothing of requests or of the client library.
Sources: Kubernetes "Accessing the API from a Pod"; robustness rules K28, K29, K30, K35.
"""

import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from kdns.sources.errors import SourceError
from kdns.sources.wire import Peer

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_LIMIT_BYTES: Final = 1 << 16
_PORTS: Final = {"https": 443, "http": 80}


class ClientCertificate(NamedTuple):
    """A certificate and its key, each as PEM text or as the file that has it."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that a request to the API server needs."""

    server: str  # URL, with the path that its API is below, if any
    authorization: str = ""  # value of that header; empty for none
    ca: str = ""  # PEM text, or the file that has it, read again for each connection; empty for the system's
    client: ClientCertificate | None = None
    server_name: str | None = None
    insecure: bool = False  # any certificate will do

    def peer(self) -> Peer:
        """Where to connect. Raises SourceError."""
        url = urlsplit(self.server)
        if url.scheme not in _PORTS or not url.hostname:
            raise SourceError(f"the server is {self.server!r}, expected https://HOST:PORT")
        try:
            port = url.port or _PORTS[url.scheme]
        except ValueError as error:
            raise SourceError(f"the server is {self.server!r}: {error}") from error
        tls = _Tls(self.ca, self.client, self.insecure) if url.scheme == "https" else None
        return Peer(url.hostname, port, tls, self.server_name)

    @property
    def base(self) -> str:
        """The path that the API is below, without final slash."""
        return urlsplit(self.server).path.rstrip("/")

    def headers(self) -> dict[str, str]:
        """The headers that say who asks."""
        return {"Authorization": self.authorization} if self.authorization else {}


@dataclass(frozen=True, slots=True)
class _Tls:
    """Makes contexts. A value, so that a connection can be kept as long as nothing of this changes."""

    ca: str
    client: ClientCertificate | None
    insecure: bool

    def __call__(self) -> ssl.SSLContext:
        """A context of the files as they are now. Raises SourceError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Python 3.13 would refuse CAs that lack key identifiers, as those of older clusters do; kubectl takes them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self.ca:
            _load_ca(context, self.ca)
        else:
            context.load_default_certs()
        if self.client:
            _load_client(context, self.client)
        return context


def _load_ca(context: ssl.SSLContext, ca: str) -> None:
    text = is_pem(ca)
    try:
        context.load_verify_locations(**{"cadata" if text else "cafile": ca})
    except OSError as error:  # ssl.SSLError is one
        where = "the CA's certificate given as text" if text else ca
        raise SourceError(f"{where}: {error.strerror or error}, expected certificates in PEM") from error


def _load_client(context: ssl.SSLContext, client: ClientCertificate) -> None:
    # OpenSSL takes keys from files only: text is written to one that nobody else can read, for the moment.
    with tempfile.TemporaryDirectory(prefix="kdns-") as folder:
        paths = [
            _as_file(each, Path(folder) / name) for each, name in zip(client, ClientCertificate._fields, strict=True)
        ]
        try:
            context.load_cert_chain(*paths)
        except OSError as error:
            named = " and ".join("text" if is_pem(each) else each for each in client)
            raise SourceError(
                f"client certificate and key from {named}: {error.strerror or error}, expected PEM"
            ) from error


def _as_file(given: str, path: Path) -> str:
    if not is_pem(given):
        return given
    path.touch(mode=0o600)
    path.write_text(given)
    return str(path)


def is_pem(given: str) -> bool:
    """Whether this is PEM text itself and not the name of a file."""
    return "-----BEGIN " in given


class Account(Protocol):
    """Gives the credentials of the moment."""

    async def credentials(self) -> Credentials:
        """The credentials for the next request. Raises SourceError."""
        ...

    def refused(self, credentials: Credentials) -> None:
        """The API server said 401 to these: before the next are given, what they come from is read again."""
        ...


class TokenFile:
    """A bearer token in a file that is rotated.

    Read again when the file has changed, and after a 401. A file that is missing, empty or
    half written leaves the last token in place (K29).
    """

    __slots__ = ("_path", "_seen", "_token")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._seen: tuple[int, ...] = ()

    def authorization(self) -> str:
        """The header's value. Raises SourceError where there has never been a token."""
        try:
            state = self._path.stat()
            seen = (state.st_mtime_ns, state.st_ino, state.st_size)
            if seen != self._seen:
                self._token, self._seen = _read_token(self._path, self._token), seen
        except (OSError, ValueError) as error:
            if not self._token:
                why = error.strerror if isinstance(error, OSError) else error
                raise SourceError(f"{self._path}: {why}, expected a bearer token") from error
        return f"Bearer {self._token}"

    def refused(self) -> None:
        """Reads the file again, whether it seems changed or not."""
        self._seen = ()


def _read_token(path: Path, last: str) -> str:
    with path.open("rb") as file:
        token = file.read(_TOKEN_LIMIT_BYTES).decode("ascii").strip()
    if not token:
        raise ValueError("the file is empty")
    if not token.isprintable() or " " in token:
        raise ValueError("found spaces or control characters")
    # A JSON web token has three parts: fewer than the last one had, and it isn't written to its end yet.
    if token.count(".") < last.count("."):
        raise ValueError("the token breaks off")
    return token


class InPod:
    """The account of the pod that this process runs in."""

    __slots__ = ("_token", "authorities", "server")

    def __init__(self, environment: Mapping[str, str], folder: Path = SERVICE_ACCOUNT) -> None:
        """Raises SourceError where this is no pod."""
        host = environment.get("KUBERNETES_SERVICE_HOST", "")
        port = environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise SourceError(
                "KUBERNETES_SERVICE_HOST isn't set, so this is no pod; name a cluster by --kubeconfig FILE"
                " or manifests by --manifests PATH"
            )
        self.server: Final = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        self.authorities: Final = str(folder / "ca.crt")
        self._token = TokenFile(folder / "token")

    async def credentials(self) -> Credentials:
        """Server, CA file and the token of the moment. Raises SourceError."""
        return Credentials(self.server, self._token.authorization(), ca=self.authorities)

    def refused(self, credentials: Credentials) -> None:  # noqa: ARG002 - of a file nothing is kept but its last state
        """Has the token read again."""
        self._token.refused()
