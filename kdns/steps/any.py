"""any: questions for ANY get one short record in place of all there are.

Standards: RFC 8482 section 4.2 (a HINFO record made up for the question).
"""

from typing import Final

from kdns.config.directives.bare import Any as Settings
from kdns.dns import types
from kdns.dns.records import Answer, RecordSet, txt
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Outcome, Request, Rest
from kdns.zone.entry import STATIC

NAME: Final = "any"

_TTL: Final = 8482  # seconds; CoreDNS'
_HINFO: Final = txt(b"ANY obsoleted", b"See RFC 8482")  # of two strings, as a TXT record


def make(settings: Settings, around: Around) -> "Any":  # noqa: ARG001 - every step is made so
    """The step."""
    return Any()


class Any:
    """Answers ANY and passes all other types on."""

    __slots__ = ()

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qtype != types.ANY:
            return rest(request, done)
        records = RecordSet(query.qname, types.HINFO, _TTL, (_HINFO,))
        return Answered(Answer(answers=(records,), authoritative=False), (STATIC,), NAME)
