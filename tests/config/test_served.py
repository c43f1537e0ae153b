"""No directive of the table is read and then forgotten."""

from kdns.config import served, table


def test_every_directive_is_done_somewhere() -> None:
    missing = {each.name for each in table.SUPPORTED if each.settings not in served._KNOWN}
    assert not missing
