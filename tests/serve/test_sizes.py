"""Sizes: told nearly as they are, and in the bucket that is theirs."""

from bisect import bisect_left

from hypothesis import example, given
from hypothesis import strategies as st

from kdns.serve.sizes import BUCKETS, bucket_of, told


@given(st.integers(0, 65_535))
@example(0)
@example(100)
@example(101)
@example(511)
@example(512)
@example(64_001)
def test_a_size_is_told_in_its_bucket_and_nearly_as_it_is(size: int) -> None:
    assert bisect_left(BUCKETS, told(size)) == bisect_left(BUCKETS, size) == bisect_left(BUCKETS, bucket_of(size))
    assert abs(told(size) - size) <= (8 if size < 1024 else 256)


def test_there_are_few() -> None:
    assert len({told(size) for size in range(65_536)}) < 220
