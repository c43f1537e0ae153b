"""The command line as a shell sees it: real processes, their status and their one line."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import kdns
from kdns.cli import arguments

REPOSITORY = Path(__file__).parents[2]


def ran(*args: str, **environment: str) -> tuple[int, str, str]:
    """Status, standard output and standard error of `python -m kdns`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
    done = subprocess.run(
        [sys.executable, "-m", "kdns", *args],
        cwd=REPOSITORY,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_version_is_one_line() -> None:
    assert ran("--version") == (0, f"kdns {kdns.__version__}\n", "")


def test_help_names_the_commands() -> None:
    status, out, _ = ran("--help")
    assert (status, "serve" in out) == (0, True)
    assert ran() == (status, out, "")


def test_the_word_help_is_the_flag() -> None:
    assert ran("help") == ran("--help")
    assert ran("help", "explain") == ran("explain", "--help")
    assert ran("help", "nothing")[0] == 2


def test_help_has_the_first_sentence_of_each_command() -> None:
    _, out, _ = ran("--help")
    for name, sentence in arguments.COMMANDS.items():
        assert f"  {name}" in out
        assert sentence in out
        command = arguments.kdns.get_command(click.Context(arguments.kdns), name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == sentence


def test_help_of_serve_names_every_flag() -> None:
    status, out, _ = ran("serve", "--help")
    spellings = """--kubeconfig --context --manifests --zone --listen -p, -dns.port --upstream --pods --ttl --workers
        --log-level --health --ready --metrics -conf -pidfile -quiet -plugins -version"""
    assert (status, [each for each in spellings.split() if each not in out]) == (0, [])


def test_without_a_cluster_the_three_ways_are_named() -> None:
    status, out, error = ran("serve")
    assert (status, out, error.count("\n")) == (2, "", 1)
    assert error.startswith("kdns: found no cluster to serve, expected one of: --kubeconfig FILE")


def test_a_wrong_flag_ends_with_status_2_and_a_corefile_with_1() -> None:
    assert ran("serve", "--manifests", "examples", "--listen", "here")[0] == 2
    assert ran("-conf", "/etc/coredns/Corefile", "-dns.port", "1053") == (
        1,
        "",
        "kdns: /etc/coredns/Corefile: No such file or directory, expected a Corefile\n",
    )


def test_coredns_version_and_plugins_are_answered_wherever_they_stand() -> None:
    version = (0, f"kdns {kdns.__version__}\n", "")
    for flags in (
        ["-version"],
        ["-conf", "Corefile", "-version"],
        ["--version=true", "-quiet"],
        ["serve", "-version=1"],
    ):
        assert ran(*flags) == version
    for flags in (["-plugins"], ["--plugins"], ["-quiet=false", "-plugins=true"]):
        assert ran(*flags) == ran("plugins")


def test_characters_that_cant_be_written_are_replaced() -> None:
    status, out, error = ran("explain", "web.shop", "--manifests", "examples", PYTHONIOENCODING="ascii")
    assert (status, "2 ? web.shop.svc.cluster.local. " in out, error) == (0, True, "")


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_full_disk_is_one_line(output: str) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "kdns", "plugins", "-o", output]
        done = subprocess.run(command, cwd=REPOSITORY, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "kdns: standard output: No space left on device\n")


def test_who_has_read_enough_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "kdns", "plugins", "-o", "json"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"[\n"
        process.stdout.close()
        assert process.stderr.read() == b""


COREFILE = "kdns: Corefile: No such file or directory, expected a Corefile\n"
RUNS: list[tuple[list[str], int, str]] = [
    (["-conf", "Corefile"], 1, COREFILE),
    (["--conf", "Corefile"], 1, COREFILE),
    (["-conf=Corefile", "-dns.port=1053"], 1, COREFILE),
    (["-p", "1053", "-conf", "Corefile"], 1, COREFILE),
    (["-p=1053", "-conf", "Corefile"], 1, COREFILE),
    (["-p1053", "--conf=Corefile"], 1, COREFILE),
    (["--p", "1053", "-conf", "Corefile"], 1, COREFILE),
    (["--p=1053", "-conf", "Corefile"], 1, COREFILE),
    (["serve", "-conf", "Corefile"], 1, COREFILE),
    (["-conf", "Corefile", "--snapshot", "README.md"], 1, COREFILE),  # no folder, which is told later and harms nothing
    (["-quiet", "-conf", "Corefile"], 1, COREFILE),
    (["-plugins=false", "--version=0", "-quiet=T", "-pidfile=x", "--conf", "Corefile"], 1, COREFILE),
    (["-quiet=maybe"], 2, "kdns: Option '-quiet' does not take a value.\n"),
    (["-conf", "Corefile", "--ttl", "5"], 2, "kdns: --ttl: found it beside -conf, expected it in Corefile alone\n"),
    (["check"], 2, "kdns: Missing argument 'FILE'; see kdns check --help\n"),
    (["--frob"], 2, "kdns: No such option '--frob'; see kdns serve --help\n"),
    (["-conf"], 2, "kdns: Option '-conf' requires an argument.\n"),
    (["nothing"], 2, f'kdns: found the command "nothing", expected one of {", ".join(arguments.COMMANDS)}\n'),
    (["expalin", "web"], 2, 'kdns: found the command "expalin"; did you mean explain?\n'),
    (["serve", "extra"], 2, "kdns: Got unexpected extra argument (extra)\n"),
    (["serve", "--ttl", "five"], 2, "kdns: Invalid value for '--ttl': 'five' is not a valid integer.\n"),
    (
        ["serve", "-p", "65536"],
        2,
        "kdns: Invalid value for '-p' / '-dns.port' / '--dns.port': 65536 is not in the range 0<=x<=65535.\n",
    ),
    (
        ["serve", "--pods", "on"],
        2,
        "kdns: Invalid value for '--pods': 'on' is not one of 'disabled', 'insecure', 'verified'.\n",
    ),
]


@pytest.mark.parametrize(("args", "status", "error"), RUNS)
def test_arguments_are_read_as_coredns_reads_them_and_errors_are_one_line(
    args: list[str], status: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (arguments.run(args), capsys.readouterr()) == (status, ("", error))
