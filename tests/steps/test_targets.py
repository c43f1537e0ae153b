"""Targets that aren't addresses: files like resolv.conf, and host names, which change."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import dns.message
import dns.rrset

from kdns.config.directives.forward import Forward as Settings
from kdns.config.endpoints import Upstream as Target
from kdns.config.settings import Address
from kdns.dns import names
from kdns.steps.forward import Forward
from tests import virtual_time
from tests.steps.forwarding import Asked, Noted, said
from tests.steps.upstream_of_sins import UDP, Say, UpstreamOfSins


def forward(*targets: Target, log: Noted | None = None, **settings: Any) -> Forward:
    made = Settings(origin=(names.ROOT,), upstreams=targets, policy="sequential", **settings)
    return Forward(made, loop=asyncio.get_running_loop(), random=random.SystemRandom(), log=log or Noted())


def hosts(step: Forward) -> list[str]:
    return [upstream.address.host for upstream in step.upstreams]


def played(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(scene())


def test_a_files_servers_are_asked_at_53_each_once(tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "resolv.conf"
        file.write_text("search a.example\nnameserver 192.0.2.1\nnameserver 2001:db8::1\nnameserver 192.0.2.1\n")
        step = forward(
            Target("file", str(file)), Target("address", "192.0.2.9", port=5353), Target("address", "192.0.2.1")
        )
        assert [upstream.address for upstream in step.upstreams] == [
            Address("192.0.2.1", 53),
            Address("2001:db8::1", 53),
            Address("192.0.2.9", 5353),
        ]
        step.close()

    played(scene)


def test_u25_a_file_that_changes_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        file, log = tmp_path / "resolv.conf", Noted()
        file.write_text("nameserver 192.0.2.1\n")
        step = forward(Target("file", str(file)), log=log)
        seen = []
        for text in (
            "nameserver 192.0.2.2\nnameserver 192.0.2.1\n",
            "",
            "nameserver nobody\n",
            None,
            "nameserver 192.0.2.3\n",
        ):
            if text is None:
                file.unlink()
            else:
                renewed = tmp_path / "renewed"
                renewed.write_text(text)
                renewed.rename(file)
            await asyncio.sleep(5.1)
            seen.append(hosts(step))
        assert seen == [["192.0.2.2", "192.0.2.1"]] * 4 + [["192.0.2.3"]]
        assert [event for _, event, _ in log.events] == ["upstreams_changed", "upstream_unknown", "upstreams_changed"]
        assert log.events[1][2] == {
            "target": str(file),
            "reason": "names no server",
            "goes_on_with": ["192.0.2.2:53", "192.0.2.1:53"],
        }
        step.close()

    played(scene)


def test_u25_a_file_that_is_missing_is_a_warning_and_servfail_until_it_is_there(tmp_path: Path) -> None:
    async def scene() -> None:
        file, log = tmp_path / "resolv.conf", Noted()
        step = forward(Target("file", str(file)), log=log)
        assert [said(outcome) for outcome in Asked(step).outcomes] == ["failed SERVFAIL"]
        assert [(level, event) for level, event, _ in log.events] == [("warning", "upstream_unknown")]
        file.write_text("nameserver 192.0.2.1\n")
        await asyncio.sleep(5.1)
        assert hosts(step) == ["192.0.2.1"]
        step.close()

    played(scene)


def test_who_is_let_go_still_answers_what_it_was_asked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with UpstreamOfSins("slow") as sinner, UpstreamOfSins(number=2) as other:
            step = forward(Target("address", *sinner.address[:1], port=sinner.address.port))
            kept = step.upstreams[0]
            asked = Asked(step)
            step._replace((_place(other.address),))
            assert said(await asked.outcome()) == "from 1"
            assert said(await Asked(step).outcome()) == "from 2"
            assert not kept._open
            assert step.counts()["kdns_forward_tries_total", (str(sinner.address),)] == 1
            step.close()

    played(scene)


def _place(address: Address) -> Any:
    from kdns.steps.targets import Place  # noqa: PLC0415

    return Place(address)


def knows(*addresses: str, ttl: int = 60) -> Callable[[bytes, int], list[Say]]:
    """An upstream that knows the addresses of any name."""

    def sin(query: bytes, _number: int) -> list[Say]:
        question = dns.message.from_wire(query)
        reply = dns.message.make_response(question)
        asked = question.question[0]
        fit = [each for each in addresses if (":" in each) == (asked.rdtype == 28)]
        if fit:
            reply.answer.append(dns.rrset.from_text_list(asked.name, ttl, "IN", asked.rdtype, fit))
        return [Say(reply.to_wire())]

    return sin


def test_a_host_name_is_resolved_at_the_start_and_again_when_its_time_is_over(monkeypatch: Any) -> None:
    async def scene() -> None:
        async with UpstreamOfSins("known") as resolver:
            monkeypatch.setitem(UDP, "known", knows("192.0.2.7", "2001:db8::7"))
            step = forward(Target("host", "dns.example", port=5353), resolvers=(resolver.address,))
            assert [said(outcome) for outcome in Asked(step).outcomes] == ["failed SERVFAIL"]
            await asyncio.sleep(1)
            assert [upstream.address for upstream in step.upstreams] == [
                Address("192.0.2.7", 5353),
                Address("2001:db8::7", 5353),
            ]
            monkeypatch.setitem(UDP, "known", knows("192.0.2.8"))
            await asyncio.sleep(58)
            assert len(resolver.heard) == 2
            await asyncio.sleep(3)
            assert hosts(step) == ["192.0.2.8"]
            resolver.udp = "nxdomain"
            await asyncio.sleep(120)
            assert hosts(step) == ["192.0.2.8"]
            step.close()

    monkeypatch.setitem(UDP, "known", knows())
    played(scene)


def test_a_host_name_that_nobody_knows_is_asked_for_until_somebody_does(monkeypatch: Any) -> None:
    async def scene() -> None:
        log = Noted()
        async with UpstreamOfSins("nxdomain") as resolver:
            step = forward(Target("host", "dns.example"), resolvers=(resolver.address,), log=log)
            await asyncio.sleep(20)
            assert [event for _, event, _ in log.events] == ["upstream_unknown"]
            resolver.udp = "known"
            await asyncio.sleep(6)
            assert hosts(step) == ["192.0.2.7"]
            step.close()

    monkeypatch.setitem(UDP, "known", knows("192.0.2.7"))
    played(scene)


def test_a_host_that_is_the_name_of_a_file_is_that_file(tmp_path: Path, monkeypatch: Any) -> None:
    async def scene() -> None:
        (tmp_path / "upstreams").write_text("nameserver 192.0.2.1\n")
        monkeypatch.chdir(tmp_path)
        step = forward(Target("host", "upstreams"))
        assert hosts(step) == ["192.0.2.1"]
        step.close()

    played(scene)
