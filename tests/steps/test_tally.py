"""What upstreams have counted, as the metrics table's series."""

import asyncio
import random
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from kdns.config.settings import Address
from kdns.dns import types
from kdns.ops.cells import BUCKETS
from kdns.ops.metrics import render
from kdns.steps.durations import Durations
from kdns.steps.forward import Forward
from tests.steps.forwarding import Asked, Noted, play, to
from tests.steps.upstream_of_sins import UpstreamOfSins


def test_upstreams_are_counted_by_their_address() -> None:
    loop = asyncio.new_event_loop()
    step = Forward(
        to(Address("192.0.2.1", 53), Address("2001:db8::1", 5353)),
        loop=loop,
        random=random.SystemRandom(),
        log=Noted(),
    )
    loop.close()
    one = step.upstreams[0].counts
    one.asked, one.streamed, one.ignored, one.timed_out, one.failed, one.probes_failed = 10, 2, 3, 4, 5, 6
    one.ports, one.lines = 3, 1
    found, to_one = step.counts(), "192.0.2.1:53"
    assert {series: value for series, value in found.items() if to_one in series[1]} == {
        ("kdns_forward_tries_total", (to_one,)): 12,
        ("kdns_forward_ignored_total", (to_one,)): 3,
        ("kdns_forward_failures_total", (to_one, "timeout")): 4,
        ("kdns_forward_failures_total", (to_one, "network")): 5,
        ("coredns_forward_requests_total", (to_one,)): 12,
        ("coredns_forward_healthcheck_failures_total", (to_one,)): 6,
        ("coredns_proxy_healthcheck_failures_total", ("forward", to_one)): 6,
        ("coredns_proxy_conn_cache_hits_total", ("forward", to_one, "udp")): 7,
        ("coredns_proxy_conn_cache_misses_total", ("forward", to_one, "udp")): 3,
        ("coredns_proxy_conn_cache_hits_total", ("forward", to_one, "tcp")): 1,
        ("coredns_proxy_conn_cache_misses_total", ("forward", to_one, "tcp")): 1,
    }
    assert found["kdns_forward_tries_total", ("[2001:db8::1]:5353",)] == 0


def test_replies_are_counted_by_rcode_with_how_long_they_took() -> None:
    async def scene(forward: Forward, sinners: list[UpstreamOfSins]) -> None:
        for sin in ("honest", "slow", "nxdomain", "truncated"):
            sinners[0].udp = sin
            await Asked(forward).outcome()
        to_one, counts = str(sinners[0].address), forward.counts()
        assert counts["coredns_forward_responses_total", (to_one, "NOERROR")] == 4  # by UDP three, and one by TCP
        assert counts["coredns_forward_responses_total", (to_one, "NXDOMAIN")] == 1
        for name, labels in (("proxy", ("forward", to_one, "NOERROR")), ("forward", (to_one, "NOERROR"))):
            family = f"coredns_{name}_request_duration_seconds"
            assert counts[f"{family}_count", labels] == 4
            assert counts[f"{family}_sum", labels] == 1.0
            assert [counts[f"{family}_bucket", (*labels, each)] for each in ("0.00025", "0.512", "1.024", "+Inf")] == [
                3,
                3,
                4,
                4,
            ]
        assert f'_count{{to="{to_one}",rcode="NOERROR"}} 4' in render(
            (*series, value) for series, value in counts.items()
        )

    play([("honest", "honest")], scene)


@given(st.lists(st.floats(0, 20)), st.lists(st.floats(0, 20)))
def test_each_duration_is_in_the_first_bucket_that_holds_it(fresh: list[float], noted: list[float]) -> None:
    durations = Durations()
    durations.fresh += fresh
    for seconds in noted:
        durations.note(types.NOERROR, seconds)
    found = durations.by_rcode()
    together = fresh + noted
    if not together:
        assert found == {}
        return
    assert found[types.NOERROR].count == len(together)
    assert list(accumulate(found[types.NOERROR].counts))[:-1] == [
        sum(each <= bound for each in together) for bound in BUCKETS
    ]
