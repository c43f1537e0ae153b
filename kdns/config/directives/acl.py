"""acl: whose questions are answered, by address and type."""

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from kdns.config.declarations import Directive, Settings, options, zones
from kdns.config.domains import EVERY_TYPE, TYPE_OR_ALL
from kdns.config.endpoints import EVERY_NETWORK, NETWORKS_OR_ALL, Network
from kdns.config.kinds import words
from kdns.config.shapes import many, record, spread
from kdns.dns.names import Name

Action: TypeAlias = Literal["allow", "block", "filter", "drop"]


class Policy(NamedTuple):
    """What is done with questions for one of these types, from one of these networks."""

    action: Action
    types: tuple[int, ...] = (EVERY_TYPE,)
    networks: tuple[Network, ...] = EVERY_NETWORK


class Acl(Settings):
    """The policies, of which the first that fits counts; without one a question is allowed."""

    zones: tuple[Name, ...] = zones(
        "ZONE", doc="The zones whose questions are looked at, by default the server block's."
    )
    policies: tuple[Policy, ...] = options(
        "ACTION [type TYPE... | net SOURCE...]...",
        record(
            Policy,
            action=("ACTION", words(get_args(Action), any_case=True)),
            types=("TYPE", many(TYPE_OR_ALL)),
            networks=("SOURCE", spread(NETWORKS_OR_ALL)),
        ),
        any_case=True,
        doc="Answers, refuses (REFUSED), answers with nothing (NOERROR) or is silent, for all types and addresses or for these.",
    )


DIRECTIVE: Final = Directive(
    Acl,
    "acl [ZONE...]",
    doc="Says whose questions are answered.",
    repeat="each",
    differs=("The reason goes to clients that speak EDNS; CoreDNS adds EDNS and DO to replies for all.",),
)
