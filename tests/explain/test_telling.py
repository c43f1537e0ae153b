"""Explanations as text."""

import json

from hypothesis import given

from kdns.dns import types
from kdns.explain.explanation import decode, described
from kdns.explain.telling import as_text
from tests.cluster.histories import histories
from tests.explain.clusters import compiled, evidence_of, explain, of_yaml
from tests.explain.test_explained import CLUSTER

TEXT = """\
web.office A, as a pod in shop asks, by a test

  1 ✘ web.office.shop.svc.cluster.local.  no such name  there is no Service office in namespace shop
  2 ✔ web.office.svc.cluster.local.       answered
  3 · web.office.cluster.local.           not asked
  4 · web.office.                         not asked

Records (a Service's name has its ClusterIPs, and SRV records of all its ports)
  web.office.svc.cluster.local. 5 IN A 10.96.0.2

Objects behind web.office.svc.cluster.local.
  Service office/web  10.96.0.2

Cost       2 queries: 2 names, A each; web.office.svc.cluster.local. with its final dot takes 1
Freshness  revision 1, serial 7
Note       office/web has no ready endpoint (none at all): its name is answered, connections to it fail
"""


def test_text_is_short_and_aligned() -> None:
    assert as_text(explain(of_yaml(CLUSTER), "web.office", types.A)) == TEXT


def test_colours_are_only_of_marks() -> None:
    told = explain(of_yaml(CLUSTER), "web.office", types.A)
    coloured = as_text(told, colour=True)
    assert "\x1b[32m✔\x1b[0m" in coloured
    for each in ("\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"):
        coloured = coloured.replace(each, "")
    assert coloured == TEXT


def test_who_isnt_ready_is_shown() -> None:
    told = as_text(explain(of_yaml(CLUSTER), "peers"))
    assert "    ✔ 10.0.0.4  ready, since when isn't known  peer-0\n    and 1 not ready\n" in told


@given(histories)
def test_any_explanation_is_told_and_is_a_plain_value(history: list) -> None:  # type: ignore[type-arg]  # of any deltas
    told = explain(evidence_of(compiled(history)), "a.n")
    assert as_text(told)
    assert decode(json.dumps(described(told)).encode()) == told
