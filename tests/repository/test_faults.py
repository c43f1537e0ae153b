"""The faults of upstreams, each with the tests that bring it about; where no test does, why.

The ids stand in those tests: in their names, their comments or the ids of their parameters.
"""

import re
from typing import Final, NamedTuple

import pytest

from tests.server import REPOSITORY


class Fault(NamedTuple):
    """What goes wrong, and in which files of tests."""

    what: str
    tests: tuple[str, ...] = ()
    none: str = ""  # why no test brings it about


FAULTS: Final = {
    "U01": Fault("one upstream silent", ("steps/test_forward", "steps/test_health")),
    "U02": Fault("all silent", ("steps/test_forward", "steps/test_cache_failures", "steps/test_failures")),
    "U03": Fault("connection refused, ICMP errors, no route", ("steps/test_forward", "steps/test_icmp")),
    "U04": Fault("SERVFAIL", ("steps/test_forward", "steps/test_cache_failures")),
    "U05": Fault("REFUSED, NOTIMP, FORMERR without EDNS", ("steps/test_forward", "steps/test_case")),
    "U06": Fault("lame: nothing, and no SOA", ("steps/test_cache", "dns/test_lasting")),
    "U07": Fault("a wrong id, and many of them", ("steps/test_forward", "dns/test_foreign")),
    "U08": Fault("another question", ("steps/test_forward", "dns/test_foreign")),
    "U09": Fault("from another address or port", ("steps/test_forward",)),
    "U10": Fault("no reply, or with no question or two", ("steps/test_forward", "dns/test_foreign")),
    "U11": Fault("cut, garbage, bad pointers", ("steps/test_forward", "dns/test_foreign")),
    "U12": Fault("the name in another case", ("steps/test_forward", "steps/test_case")),
    "U13": Fault("answered twice", ("steps/test_forward", "steps/test_upstream")),
    "U14": Fault("answered too late", ("steps/test_forward", "steps/test_upstream")),
    "U15": Fault("truncated", ("steps/test_forward", "steps/test_cache_failures")),
    "U16": Fault("truncated, with a part", ("steps/test_cache", "steps/test_cache_failures")),
    "U17": Fault("larger than was asked for", ("steps/test_forward",)),
    "U18": Fault("TCP: closed, half, wrong length", ("steps/test_forward", "steps/test_stream")),
    "U19": Fault("TCP: in another order, unknown ids", ("steps/test_forward", "steps/test_stream")),
    "U20": Fault("TLS: not to be believed, or standing still", ("steps/test_tls", "steps/test_http2")),
    "U21": Fault("slow, under many questions", ("steps/test_forward", "integration/test_trouble")),
    "U22": Fault("answers held, then released at once", ("steps/test_forward",)),
    "U23": Fault("a flood of names to a dead upstream", ("steps/test_forward", "steps/test_failures")),
    "U24": Fault("a loop", ("steps/test_loop",)),
    "U25": Fault("resolv.conf empty, missing, changed, ourselves", ("steps/test_targets",)),
    "U26": Fault("TTLs of 0, too large, different", ("steps/test_cache", "dns/test_lasting")),
    "U27": Fault("SOAs of denials", ("steps/test_cache", "dns/test_lasting")),
    "U28": Fault("NXDOMAIN behind a CNAME", ("dns/test_lasting",)),
    "U29": Fault("records that weren't asked for", ("steps/test_cache", "dns/test_lasting")),
    "U30": Fault("too many records, CNAMEs without end", ("steps/test_cache", "dns/test_foreign", "dns/test_lasting")),
    "U31": Fault("names of others with addresses of ours", none="passed on, as by CoreDNS: there is no filter"),
    "U32": Fault("own names asked of upstreams", ("integration/test_upstream",)),
    "U33": Fault("one that comes and goes", ("steps/test_health",)),
    "U34": Fault("no descriptor left", ("steps/test_forward",)),
    "U35": Fault("ports", ("steps/test_upstream",)),
    "U36": Fault("down for an hour", ("steps/test_cache_failures",)),
    "U37": Fault("a bad denial after an outage", ("steps/test_cache_failures",)),
    "U38": Fault("a scan fills the cache", ("steps/test_cache", "steps/test_s3fifo")),
    "U39": Fault("prefetch of a popular name", ("steps/test_cache_prefetch",)),
    "U40": Fault("options of one hop", ("dns/test_foreign", "dns/test_lasting")),
    "U41": Fault("no way by IPv6", ("steps/test_icmp",)),
    "U42": Fault("the network comes back", ("steps/test_health", "steps/test_cache_failures", "steps/test_failures")),
}


@pytest.mark.parametrize("number", FAULTS)
def test_each_fault_stands_in_the_tests_that_are_named(number: str) -> None:
    fault = FAULTS[number]
    assert bool(fault.tests) != bool(fault.none)
    for each in fault.tests:
        text = (REPOSITORY / "tests" / f"{each}.py").read_text()
        assert re.search(rf"\b{number}\b|\b{number.lower()}_|_{number.lower()}_", text), f"{number} isn't in {each}"
