"""What is handed between processes arrives as it was."""

import os

import pytest

from kdns.config.settings import Address
from kdns.serve.configuration import (
    Attempt,
    Coming,
    Configuration,
    News,
    file_of,
    nameless,
    read_attempt,
    read_coming,
    read_news,
    write,
)

ADDRESS = Address("::1", 53)
FULL = Configuration((ADDRESS, Address("", 0)), (ADDRESS,), (("health :1", Address("", 1)),), 0.5, "d", "seen é")


@pytest.mark.parametrize(
    "attempt",
    [Attempt("seen é", FULL, "a warning"), Attempt("seen", None, "a:1:1: error\nanother", True), Attempt("", None)],
)
def test_an_attempt(attempt: Attempt) -> None:
    descriptor = nameless()
    try:
        write(attempt, descriptor)
        assert read_attempt(descriptor) == attempt
    finally:
        os.close(descriptor)


def test_what_the_controller_is_told() -> None:
    for value, read in ((News(1, 2, "why", "d", "s" * 100_000), read_news), (Coming(7, "s", (ADDRESS,)), read_coming)):
        descriptor = file_of(value)
        try:
            assert read(descriptor) == value
        finally:
            os.close(descriptor)


@pytest.mark.parametrize("octets", [b"", b"[", b"[1]", b"\xff"])
def test_what_is_no_attempt(octets: bytes) -> None:
    descriptor = nameless()
    try:
        os.write(descriptor, octets)
        with pytest.raises(ValueError):
            read_attempt(descriptor)
    finally:
        os.close(descriptor)
