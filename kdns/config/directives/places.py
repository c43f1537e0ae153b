"""bind, root, tls, timeouts, cancel: where questions come in, and how long one waits for them."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Law, Settings, argument, option
from kdns.config.endpoints import ip_text
from kdns.config.kinds import DAY_S, FilePath, duration, file, of_text, whole, words
from kdns.config.shapes import many

ClientAuth: TypeAlias = Literal["nocert", "request", "require", "verify_if_given", "require_and_verify"]

_INTERFACE_MAX: Final = 15  # IFNAMSIZ of Linux, less its zero


class Bound(NamedTuple):
    """An address to listen on, or an interface for all addresses that it has."""

    name: str
    is_interface: bool


def _bound(text: str) -> Bound:
    try:
        return Bound(ip_text(text), is_interface=False)
    except ValueError:
        # What looks like an address is a misspelt one.
        if not 0 < len(text) <= _INTERFACE_MAX or "/" in text or ":" in text or text.replace(".", "").isdigit():
            raise
        return Bound(text, is_interface=True)


_BOUND: Final = of_text("an IP address or the name of an interface", _bound, "127.0.0.1")


class Bind(Settings):
    """Where the server block listens."""

    to: tuple[Bound, ...] = argument("ADDRESS", many(_BOUND), doc="Addresses, or interfaces for all of theirs.")
    exceptions: tuple[Bound, ...] = option(
        "except ADDRESS...",
        many(_BOUND),
        default=(),
        repeat="each",
        doc="Addresses or interfaces that this line leaves out.",
    )


class Root(Settings):
    """Where relative paths begin."""

    path: FilePath = argument("PATH", file("/etc/coredns", rooted=False), doc="The folder.")


class Tls(Settings):
    """With which certificate tls:// server blocks speak."""

    certificate: FilePath = argument(
        "CERT", file("cert.pem"), doc="The certificate, with those between it and its root."
    )
    key: FilePath = argument("KEY", file("key.pem"), doc="Its key.")
    authorities: FilePath | None = argument(
        "CA", file("ca.pem"), default=None, doc="Whose certificates of clients are believed; the system's by default."
    )
    client_auth: ClientAuth = option(
        "client_auth MODE", words(get_args(ClientAuth)), default="nocert", doc="What is asked of clients."
    )
    key_log: FilePath | None = option(
        "keylog FILE",
        file("keys.log", there=False),
        default=None,
        doc="Where the keys of connections are written, to look into them.",
    )


class Timeouts(Settings):
    """How long connections are kept; None is what is given by default."""

    read_s: float | None = option(
        "read DURATION", duration(1, DAY_S, bare=True), default=None, doc="How long a question may take to come in; 5s."
    )
    write_s: float | None = option(
        "write DURATION", duration(1, DAY_S, bare=True), default=None, doc="How long a reply may take to go out; 5s."
    )
    idle_s: float | None = option(
        "idle DURATION", duration(1, DAY_S, bare=True), default=None, doc="How long an unused connection is kept; 10s."
    )
    questions_max: int | None = option(
        "maxtcpqueries NUMBER",
        whole(-1),
        default=None,
        doc="How many questions a connection may bring; -1 for any number.",
    )


class Cancel(Settings):
    """How long a question may take."""

    timeout_s: float = argument(
        "TIMEOUT", duration(positive=True), default=5.001, doc="How long a question may take; 5.001s by default."
    )


BIND: Final = Directive(
    Bind,
    "bind ADDRESS...",
    doc="Listens on these addresses alone.",
    repeat="each",
    differs=("Of several except lines of a bind each counts; in CoreDNS the last.",),
)
ROOT: Final = Directive(Root, "root PATH", doc="Says where relative paths of files begin.", repeat="last")
_ACME: Final = (
    "name a certificate and its key; cert-manager, say, writes them, and kdns reads them again when they change"
)
TLS: Final = Directive(
    Tls,
    "tls CERT KEY [CA]",
    doc="Gives the certificate of tls:// server blocks.",
    repeat="once",
    differs=(
        "Certificate and key are read again when their files change, without a reload.",
        "What a client shows is always verified: request means verify_if_given, and require means require_and_verify.",
    ),
    missing=dict.fromkeys(("acme", "email", "ca", "storage", "ca_root", "resolver"), _ACME),
)
TIMEOUTS: Final = Directive(
    Timeouts,
    "timeouts",
    doc="Says how long connections are kept.",
    repeat="last",
    differs=("A question has 5s to come in where read isn't written, from its first octet on; CoreDNS gives it 3s.",),
    laws=(
        Law(
            lambda timeouts: any(value is not None for _, value in timeouts.items()),
            "found no timeout, expected one at least",
        ),
        Law(
            lambda timeouts: timeouts.questions_max != 0,
            "found 0 as maxtcpqueries, expected -1 or a number above 0",
            "maxtcpqueries",
        ),
    ),
)
CANCEL: Final = Directive(
    Cancel,
    "cancel [TIMEOUT]",
    doc="Gives up questions that take too long.",
    repeat="last",
    differs=("Upstreams aren't told: what they say later is kept for the next who asks.",),
)
