"""Routes in tests: one server block for all names, as most servers have it."""

from kdns.dns.names import ROOT
from kdns.dns.query import Query
from kdns.dns.reply import TCP_LIMIT
from kdns.serve.routes import Block, Manner, Routes
from kdns.steps.chain import Rest

WHERE = (".", "")


def everywhere(chain: Rest) -> Routes:
    """All questions go to the chain."""
    return Routes([(ROOT, Block((".", ""), chain, Manner(recursion=True)))])


def tcp_limit(_query: Query, _datagram: int) -> int:
    return TCP_LIMIT
