"""What a door has given, whatever the sizes were."""

from collections import Counter

from kdns.serve.tally import Tally


def replies_of(tally: Tally) -> dict[tuple[object, ...], int]:
    """Replies by type, rcode, who answered, whether without any answer, and zone and view."""
    total: Counter[tuple[object, ...]] = Counter()
    for kind, count in tally.given.items():
        total[kind[:5]] += count
    return total
