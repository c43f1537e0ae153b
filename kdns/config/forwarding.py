"""What kdns dev --forward has the server do beside its directives: names of Services lead to loopback addresses."""

from kdns.config.declarations import Settings, argument
from kdns.config.kinds import whole


class Forwarding(Settings):
    """Where who listens on these addresses is told of them. It is no directive: a Corefile can't say it."""

    descriptor: int = argument("DESCRIPTOR", whole(), default=-1, doc="A datagram socket, open in each worker.")
