"""The start beside an API server that isn't there: for how long questions wait, by a Corefile's startup_timeout."""

from pathlib import Path

import dns.exception
import pytest

from tests.server import Server, short

COREFILE = """.:0 {{
    bind 127.0.0.1
    kubernetes cluster.local {{
        endpoint https://127.0.0.1:1
        startup_timeout {timeout}
    }}
    whoami
}}
"""


def started(folder: Path, timeout: str) -> Server:
    (folder / "Corefile").write_text(COREFILE.format(timeout=timeout))
    server = Server("-conf", str(folder / "Corefile"), folder=folder, plain=True)
    server.start(ready=False)
    return server


def test_without_patience_names_of_the_cluster_fail_at_once_and_others_are_answered(tmp_path: Path) -> None:
    server = started(tmp_path, "0s")
    try:
        assert short(server.ask("web.shop.svc.cluster.local", "A")) == {"SERVFAIL"}
        assert short(server.ask("www.example.com", "A")) == {"NODATA"}
    finally:
        server.close()


def test_with_patience_questions_wait(tmp_path: Path) -> None:
    server = started(tmp_path, "1h")
    try:
        with pytest.raises(dns.exception.Timeout):
            server.ask("www.example.com", "A", timeout_s=1.0)
    finally:
        server.close()
