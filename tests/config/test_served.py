"""No directive of the table is read and then forgotten."""

from kdns.config import served, table
from kdns.config.directives.autopath import Autopath
from kdns.config.directives.searchpath import Searchpath


def test_every_directive_is_done_somewhere_or_told_of() -> None:
    missing = {each.name for each in table.SUPPORTED if each.settings not in served._KNOWN}
    assert not missing


def test_what_has_no_effect_is_named() -> None:
    assert set(served.WITHOUT_EFFECT) == {Autopath, Searchpath}
