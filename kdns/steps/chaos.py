"""chaos: what the server says of itself, as TXT records of the class CH.

Other questions of that class are refused: no upstream gets them. Questions of the class IN pass.
Standards: RFC 4892 (id.server, hostname.bind), RFC 1035 section 3.3.14.
"""

import os
from typing import Final

from kdns import __version__
from kdns.config.directives.replies import Chaos as Settings
from kdns.dns import types
from kdns.dns.names import Name, from_text
from kdns.dns.records import Answer, RecordSet, txt
from kdns.steps.around import Around
from kdns.steps.chain import Answered, Done, Failed, Outcome, Request, Rest
from kdns.zone.entry import STATIC

NAME: Final = "chaos"
VERSION: Final = f"kdns-{__version__}"

_STRING_MAX: Final = 255  # octets
_REFUSED: Final = Failed(types.REFUSED, by=NAME)


def make(settings: Settings, around: Around) -> "Chaos":  # noqa: ARG001 - every step is made so
    """The step; asks the system for the host's name."""
    return Chaos(settings, os.uname().nodename)


class Chaos:
    """Answers questions of the class CH and passes those of any other on."""

    __slots__ = ("_texts",)

    def __init__(self, settings: Settings, host: str) -> None:
        version = (settings.version or VERSION,)
        texts: dict[str, tuple[str, ...]] = {
            "version.bind.": version,
            "version.server.": version,
            "authors.bind.": tuple(dict.fromkeys(settings.authors)),
            "hostname.bind.": (host,),
            "id.server.": (host,),
        }
        self._texts: dict[Name, tuple[bytes, ...]] = {
            from_text(name): tuple(txt(said.encode(errors="replace")[:_STRING_MAX]) for said in strings)
            for name, strings in texts.items()
        }

    def ask(self, request: Request, rest: Rest, done: Done) -> Outcome | None:
        """As Step.ask."""
        query = request.query
        if query.qclass != types.CH:
            return rest(request, done)
        strings = self._texts.get(query.name) if query.qtype == types.TXT else None
        if strings is None:
            return _REFUSED
        answers = (RecordSet(query.qname, types.TXT, 0, strings, types.CH),) if strings else ()
        return Answered(Answer(answers=answers, authoritative=False), (STATIC,), NAME)
