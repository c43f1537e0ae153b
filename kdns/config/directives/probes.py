"""health, ready, prometheus: what looks in from outside, each with an address of its own."""

from typing import Final, Literal, TypeAlias, get_args

from kdns.config.declarations import Directive, Settings, argument, option
from kdns.config.endpoints import LISTEN
from kdns.config.kinds import duration, words
from kdns.config.settings import Address

Monitor: TypeAlias = Literal["until-ready", "continuously"]

_ANY_HOST: Final = ""
_LOOPBACK: Final = "127.0.0.1"


class Health(Settings):
    """Where /health is, and how long the end takes."""

    address: Address | None = argument(
        "ADDRESS", LISTEN, default=None, doc="Where /health is asked; :8080 if no line of the server block says where."
    )
    lameduck_s: float = option(
        "lameduck DURATION",
        duration(),
        default=0.0,
        doc="How long questions are still answered after the signal to stop.",
    )


class Ready(Settings):
    """Where /ready is."""

    address: Address = argument(
        "ADDRESS", LISTEN, default=Address(_ANY_HOST, 8181), doc="Where /ready is asked; :8181 by default."
    )
    monitor: Monitor = option(
        "monitor MODE",
        words(get_args(Monitor)),
        default="until-ready",
        doc="Whether what has been ready once stays so, or is looked at for each request.",
    )


class Prometheus(Settings):
    """Where /metrics is."""

    address: Address = argument(
        "ADDRESS", LISTEN, default=Address(_LOOPBACK, 9153), doc="Where /metrics is read; 127.0.0.1:9153 by default."
    )


HEALTH: Final = Directive(
    Health,
    "health [ADDRESS]",
    doc="Answers /health while the process lives.",
    repeat="each",
    differs=(
        "Of several lines in a server block each address is asked, and the longest lameduck counts; in CoreDNS the last.",
    ),
)
READY: Final = Directive(
    Ready,
    "ready [ADDRESS]",
    doc="Answers /ready when all that questions need is there.",
    repeat="once",
    differs=(
        "What has been ready once stays so only until the server, or its controller process, starts anew.",
        "A server that stops, or whose forwarded questions come back to it, isn't ready, whatever monitor says.",
        "With --ready-max-staleness it is as with continuously.",
    ),
)
PROMETHEUS: Final = Directive(
    Prometheus,
    "prometheus [ADDRESS]",
    doc="Gives metrics to Prometheus.",
    repeat="once",
    accepted={"runtime_metrics": "they are those of the Go runtime"},
    missing={"tls": "let a proxy beside kdns speak TLS, or allow Prometheus alone by a NetworkPolicy"},
)
