"""Requests: counted by code and host, timed by host."""

from kdns.sources.api.requests import Requests

NAME = "coredns_kubernetes_rest_client"
HOST = "10.96.0.1:443"


def test_before_any_request_there_is_nothing() -> None:
    assert not dict(Requests().series())


def test_requests_are_told_by_the_names_of_client_go() -> None:
    requests = Requests()
    for status, seconds in ((200, 0.02), (200, 0.3), (410, 0.02), (None, 10.5)):
        requests.waited(HOST, 0.0)
        requests.answered(HOST, status, seconds)
    found = dict(requests.series())
    codes = {labels: value for (name, labels), value in found.items() if name == f"{NAME}_requests_total"}
    assert codes == {("200", "GET", HOST): 2, ("410", "GET", HOST): 1, ("<error>", "GET", HOST): 1}
    bounds = ("0.01", "0.025", "0.5", "10", "+Inf")
    took = [found[f"{NAME}_request_duration_seconds_bucket", ("GET", HOST, bound)] for bound in bounds]
    assert took == [0, 2, 3, 3, 4]
    assert found[f"{NAME}_rate_limiter_duration_seconds_bucket", ("GET", HOST, "0.005")] == 4
