"""Which files paths mean, and that a look sees every change."""

import os
from itertools import pairwise
from pathlib import Path

import pytest

from kdns.sources import files
from kdns.sources.errors import SourceError


def found(folder: Path, *names: str) -> list[str]:
    return [os.path.relpath(path, folder) for path in files.look([str(folder / name) for name in names])]


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_folder_means_its_yaml_and_json_below_it_sorted_without_hidden_ones(tmp_path: Path) -> None:
    fill(tmp_path, "b.yml", "a.yaml", "c.json", "README.md", ".hidden.yaml", ".git/x.yaml", "z/2.yaml", "m/1.yaml")
    assert found(tmp_path, ".") == ["a.yaml", "b.yml", "c.json", "m/1.yaml", "z/2.yaml"]


def test_a_named_file_is_taken_whatever_it_is_called_and_once(tmp_path: Path) -> None:
    fill(tmp_path, "a.yaml", ".hidden", "folder/b.yaml")
    assert found(tmp_path, ".hidden", "a.yaml", "folder", "a.yaml") == [".hidden", "a.yaml", "folder/b.yaml"]


def test_an_empty_folder_means_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, ".") == []


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    fill(tmp_path, "below/a.yaml")
    (tmp_path / "below" / "up").symlink_to(tmp_path)
    assert found(tmp_path, ".") == ["below/a.yaml"]


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"/none: found no such file or directory, expected a file or folder"):
        files.look([str(tmp_path / "none")])


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"/a\.yaml: found no such file or directory"):
        files.look([str(tmp_path)])


def test_a_look_sees_a_new_inode_a_new_size_a_new_time_and_a_swapped_link(tmp_path: Path) -> None:
    fill(tmp_path, "v1/a.yaml", "v2/a.yaml", "b.yaml")
    (tmp_path / "current").symlink_to("v1")
    paths = [str(tmp_path / "current"), str(tmp_path / "b.yaml")]
    looks = [files.look(paths)]

    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").replace(tmp_path / "current")
    looks.append(files.look(paths))
    (tmp_path / "b.yaml").write_text("longer than before")
    looks.append(files.look(paths))
    os.utime(tmp_path / "b.yaml", ns=(1, 1))
    looks.append(files.look(paths))

    assert files.look(paths) == looks[-1]
    assert all(before != after for before, after in pairwise(looks))


def test_octets_are_read_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\r\n")
    assert files.read(str(tmp_path / "a")) == b"\xff\r\n"
    with pytest.raises(SourceError, match=r"found is a directory, expected a file"):
        files.read(str(tmp_path))
