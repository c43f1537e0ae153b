"""A Corefile and its imports from real folders."""

from pathlib import Path

from kdns.config.disk import Disk
from kdns.config.parser import Corefile, parse
from tests.config.reading import said, texts


def read(corefile: Path) -> Corefile:
    return parse(corefile.read_bytes(), str(corefile), Disk(), {})


def test_patterns_fit_files_of_one_folder_in_order_hidden_ones_too(tmp_path: Path) -> None:
    custom = tmp_path / "custom"
    (custom / "below.override").mkdir(parents=True)
    for name in ("b.override", "a.override", ".c.override", "a.server", "[.override"):
        (custom / name).write_text(name.strip("[."))
    disk = Disk()
    assert disk.glob(f"{custom}/?.override") == [f"{custom}/{name}.override" for name in "[ab"]
    assert disk.glob(f"{custom}/*.override") == [f"{custom}/{name}.override" for name in (".c", "[", "a", "b", "below")]
    assert disk.glob(f"{tmp_path}/*/a.server") == [f"{custom}/a.server"]
    assert disk.glob(f"{tmp_path}/none/*") == []


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path) -> None:
    (tmp_path / "..data_1").mkdir()
    (tmp_path / "..data_1" / "Corefile").write_text(". {\nimport *.override\n}\n")
    (tmp_path / "..data_1" / "log.override").write_text("log")
    (tmp_path / "..data").symlink_to("..data_1")
    for name in ("Corefile", "log.override"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    corefile = read(tmp_path / "Corefile")
    assert said(corefile) == []
    assert texts(corefile) == [(["."], ["log"])]
    assert [source.path for source in corefile.sources] == [f"{tmp_path}/Corefile", f"{tmp_path}/log.override"]


def test_what_the_system_refuses_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "Corefile").write_text(f"import folder\nimport missing\nimport {'x' * 300}\nimport folder/..\n")
    where = tmp_path / "Corefile"
    assert said(read(where)) == [
        f'{where}:1:8: error: can\'t read "{tmp_path}/folder": Is a directory',
        f'{where}:2:8: error: found no snippet and no file "{tmp_path}/missing"',
        f'{where}:3:8: error: can\'t read "{tmp_path}/{"x" * 300}": File name too long',
        f'{where}:4:8: error: can\'t read "{tmp_path}": Is a directory',
    ]


def test_what_cant_be_read_has_a_reason(tmp_path: Path) -> None:
    disk = Disk()
    (tmp_path / "file").touch()
    assert disk.trouble(f"{tmp_path}/file") == ""
    assert disk.trouble(f"{tmp_path}") == ""
    assert disk.trouble(f"{tmp_path}/none") == "No such file or directory"
    assert disk.trouble(f"{tmp_path}/file/none") == "Not a directory"
