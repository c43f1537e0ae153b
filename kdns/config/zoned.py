"""What directives that answer the cluster's names have in common: zones, of which some are of addresses' names."""

from kdns.config.declarations import Settings
from kdns.config.domains import is_reverse
from kdns.dns.names import Name


class Zoned(Settings):
    """The settings of such a directive, which has zones."""

    zones: tuple[Name, ...]

    @property
    def origins(self) -> tuple[Name, ...]:
        """The zones that aren't reverse ones."""
        return tuple(zone for zone in self.zones if not is_reverse(zone))

    @property
    def reverse(self) -> tuple[Name, ...]:
        """The reverse zones."""
        return tuple(zone for zone in self.zones if is_reverse(zone))
