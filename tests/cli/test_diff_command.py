"""kdns diff: what is wrong on its command line, told before anybody is asked."""

from pathlib import Path

import pytest

from kdns.cli import arguments

NOBODY = ("--against", "127.0.0.1:1")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), "kdns: Missing option '--against'; see kdns diff --help\n"),
        (
            ("--against", "nonsense"),
            "kdns: --against nonsense: found no IP address, expected one such as 10.0.0.1, 10.0.0.1:53 or [::1]:53\n",
        ),
        ((*NOBODY, "--types", "A,WEB"), 'kdns: found the type "WEB", expected one such as A, SRV or TYPE65\n'),
        ((*NOBODY, "--zone", "a..b"), "kdns: a label has 0 octets, expected 1 to 63\n"),
        (
            (*NOBODY, "--names", "nowhere.txt"),
            "kdns: --names nowhere.txt: No such file or directory, expected a name a line\n",
        ),
        (
            (*NOBODY, "--manifests", "a", "--kubeconfig", "b"),
            "kdns: --manifests and --kubeconfig are two clusters, expected one\n",
        ),
    ],
)
def test_wrong_arguments_are_one_line(args: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (arguments.run(["diff", *args]), *capsys.readouterr()) == (2, "", told)


def test_a_wrong_line_of_names_has_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "names"
    names.write_text("# ours\nexample.com MX AAAA\n\nexample.com WEB\n")
    assert arguments.run(["diff", *NOBODY, "--names", str(names)]) == 2
    assert capsys.readouterr().err == f'kdns: {names}:4: found the type "WEB", expected one such as A, SRV or TYPE65\n'


def test_no_cluster_to_take_names_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert arguments.run(["diff", *NOBODY]) == 2
    assert capsys.readouterr().err.startswith("kdns: found no cluster, expected one of: --kubeconfig FILE")
