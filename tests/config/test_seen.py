"""What a configuration was read from: the same answers again, carried as text, and compared with later ones."""

import errno
import os
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.seen import Again, File, Look, Seen, Witness, look, pack, unpack

PATHS = st.text(st.characters(codec="utf-8") | st.sampled_from(["\udc80", "\udcff"]), max_size=5)
FILES = st.builds(File, PATHS, st.binary(max_size=20)) | st.builds(
    lambda path, number: File(path, b"", number, os.strerror(number)),
    PATHS,
    st.sampled_from([errno.ENOENT, errno.EACCES]),
)
PAIRS = st.lists(st.tuples(PATHS, st.lists(PATHS, max_size=3).map(tuple)), max_size=3).map(tuple)
SEEN = st.builds(Seen, st.lists(FILES, max_size=3).map(tuple), PAIRS, PAIRS)


class Machine:
    """Files by path; what isn't there isn't."""

    def __init__(self, files: Mapping[str, bytes], addresses: Sequence[str] = ()) -> None:
        self.files = dict(files)
        self.asked: list[str] = []
        self.addresses = addresses

    def read(self, path: str) -> bytes:
        self.asked.append(path)
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.files[path]

    def glob(self, pattern: str) -> Sequence[str]:
        return sorted(path for path in self.files if path.endswith(pattern.removeprefix("*")))

    def addresses_of(self, interface: str) -> Sequence[str]:
        return self.addresses if interface == "lo" else ()


@given(SEEN)
def test_what_is_packed_is_unpacked_as_it_was(seen: Seen) -> None:
    assert unpack(pack(seen)) == seen


def test_it_answers_again_as_the_machine_did() -> None:
    witness = Witness(Machine({"a": b"1", "b.x": b"2"}, ["192.0.2.1"]))
    assert (witness.read("a"), witness.glob("*.x"), witness.addresses_of("lo")) == (b"1", ("b.x",), ("192.0.2.1",))
    with pytest.raises(FileNotFoundError):
        witness.read("c")
    again = Again(unpack(pack(witness.seen)))
    assert (again.read("a"), again.glob("*.x"), again.addresses_of("lo")) == (b"1", ("b.x",), ("192.0.2.1",))
    for path in ("c", "b.x"):  # what nobody has asked for isn't there, either
        with pytest.raises(FileNotFoundError):
            again.read(path)


def test_the_machine_is_asked_once_for_each() -> None:
    machine = Machine({"a": b"1"})
    witness = Witness(machine)
    for _ in range(2):
        witness.read("a")
        with pytest.raises(OSError, match="No such file"):
            witness.read("b")
        machine.files["a"] = b"2"
    assert machine.asked == ["a", "b"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ({"a": b"1", "b.x": b"2"}, Look(False)),
        ({"a": b"3", "b.x": b"2"}, Look(True)),
        ({"a": b"1", "b.x": b"2", "c.x": b""}, Look(True)),
        ({"a": b"1", "b.x": b"2", "c": b""}, Look(True)),  # was asked for, and wasn't there
        ({"a": b"1", "b.x": b"2", "d": b""}, Look(False)),
        ({"b.x": b"2"}, Look(False, (File("a", b"", errno.ENOENT, "No such file or directory"),))),
    ],
)
def test_a_later_look_tells_what_is_another(later: dict[str, bytes], expected: Look) -> None:
    witness = Witness(Machine({"a": b"1", "b.x": b"2"}))
    witness.read("a")
    witness.read("b.x")
    witness.glob("*.x")
    with pytest.raises(OSError, match="No such file"):
        witness.read("c")
    assert look(witness.seen, Machine(later)) == expected


def test_one_of_several_files_that_fit_a_pattern_is_gone() -> None:
    witness = Witness(Machine({"a.x": b"1", "b.x": b"2"}))
    for path in witness.glob("*.x"):
        witness.read(path)
    found = look(witness.seen, Machine({"a.x": b"1"}))
    assert found.changed
    assert [file.path for file in found.unreadable] == ["b.x"]
