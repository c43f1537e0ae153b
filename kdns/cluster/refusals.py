"""Refusals: what it means when the API server answers anything but 200, and when to ask again.

One table by status; a Status object in the body or in an ERROR event says more. Knows nothing
of where in a list or watch it happened: that is the reflector's.
Sources: Kubernetes API Conventions, "HTTP Status codes"; RFC 9110 section 10.2.3;
robustness rules K06, K07, K25, K28, K31-K34.
"""

from typing import Final, NamedTuple

from kdns.cluster import decode, targets
from kdns.cluster.backoff import Backoff
from kdns.cluster.decode import DecodeError
from kdns.cluster.objects import Resource
from kdns.cluster.shapes import Octets

RETRY_AFTER_CAP_S: Final = 60.0
_SERVER_CAP_S: Final = 30.0
_NOT_INSTALLED_S: Final = 60.0
_MESSAGE_LIMIT: Final = 200  # characters of what the server says
_EXPIRED: Final = frozenset(("Expired", "Gone"))
_UNAVAILABLE: Final = frozenset((403, 404))


class _Answer(NamedTuple):
    """What to do about a status: fixed_s 0 means back-off up to cap_s, or as the server asks."""

    text: str
    fixed_s: float = 0.0
    cap_s: float = _SERVER_CAP_S


_ANSWERS: Final[dict[int, _Answer]] = {
    401: _Answer("the API server doesn't accept the credentials"),
    403: _Answer("not allowed to list and watch; the role needs {rule}", fixed_s=30.0),
    404: _Answer("the API server doesn't have this resource"),
    429: _Answer("the API server is asked too much"),
}
_OTHER: Final = _Answer("the API server can't answer")


class Refusal(NamedTuple):
    """A status other than 200, in the head of a response or in an ERROR event."""

    status: int
    reason: str = ""
    message: str = ""
    retry_after_s: float | None = None
    causes: tuple[str, ...] = ()

    @property
    def expired(self) -> bool:
        """The place in the history, or the rest of the list, isn't kept any more."""
        return self.status == 410 or self.reason in _EXPIRED

    @property
    def too_new(self) -> bool:
        """The version asked for lies in the server's future: it lags, or its history was reset."""
        return "ResourceVersionTooLarge" in self.causes

    @property
    def bad_request(self) -> bool:
        """The server doesn't understand or doesn't allow what was asked, whoever asks."""
        return self.status in {400, 405, 406, 415, 422, 501}

    @property
    def unavailable(self) -> bool:
        """The resource isn't there for us, and won't be before somebody does something."""
        return self.status in _UNAVAILABLE

    def delay_s(self, backoff: Backoff, *, optional: bool) -> float:
        """When to ask again."""
        answer = _ANSWERS.get(self.status, _OTHER)
        # Where a resource must be there, 404 comes from a gateway that isn't ready rather than from an API server.
        fixed_s = _NOT_INSTALLED_S if optional and self.status == 404 else answer.fixed_s
        delay_s = fixed_s or backoff.delay_s(answer.cap_s)
        if self.retry_after_s:
            asked_s = min(self.retry_after_s, RETRY_AFTER_CAP_S)
            # Spread a little, or all whom the server sent away come back at once.
            return max(delay_s, asked_s + backoff.spread_s(asked_s * 0.1))
        return delay_s

    def line(self, resource: Resource, *, optional: bool) -> str:
        """What is wrong, for the operator."""
        answer = _ANSWERS.get(self.status, _OTHER)
        text = answer.text.format(rule=targets.role_rule(resource))
        said = f" ({self.message})" if self.message else ""
        serving = "it goes on without" if optional else "what was last known stays"
        return f"{targets.full_name(resource)}: {self.status}: {text}{said}; {serving}, trying again"


def read(octets: Octets, status: int, retry_after_s: float | None = None) -> Refusal:
    """The refusal of a body or an ERROR event's object; status where it names none. Raises nothing."""
    try:
        said = decode.status(octets)
    except DecodeError:
        return Refusal(status, retry_after_s=retry_after_s)
    message = " ".join(said.message.split())[:_MESSAGE_LIMIT]
    after_s = retry_after_s if retry_after_s is not None else said.retry_after_s
    return Refusal(said.code or status, said.reason, message, after_s, said.causes)
