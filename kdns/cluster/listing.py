"""Listings: how the next list is asked for, and what has come of it so far. Knows nothing of watches, histories or time.

A list is asked for in pages of 500. Where it took so long that its token expired, it is asked for
as a stream (sendInitialEvents), which has none; in pages again once the server refused that, or it
twice broke off. Measured with 10,000 slices of 15 endpoints, 45 MB, nothing decoded: CPU time of
the server 0.31-0.34 s in pages, 0.47-0.53 s in pages of gzip (6.4 MB), 1.0 s as a stream.
Source: Kubernetes API Concepts, "Efficient detection of changes"; robustness rules K05, K22, K49.
"""

from typing import Final

from kdns.cluster import targets
from kdns.cluster.decode import DecodeOptions
from kdns.cluster.draft import Draft, Known
from kdns.cluster.objects import Resource
from kdns.cluster.refusals import Refusal
from kdns.cluster.targets import Request

_STREAM_TRIES: Final = 2


class Listing:
    """Of one resource, list after list."""

    __slots__ = (
        "_draft",
        "_known",
        "_limit",
        "_options",
        "_resource",
        "_selector",
        "_stream_tries",
        "_streams",
        "_token",
    )

    def __init__(self, resource: Resource, options: DecodeOptions, known: Known, selector: str) -> None:
        self._resource: Final[Resource] = resource
        self._options = options
        self._known = known
        self._selector = selector
        self._draft: Draft | None = None
        self._token = ""  # continues the list
        self._limit = targets.PAGE_LIMIT
        self._stream_tries = 0  # left; with none, lists come in pages
        self._streams = True  # whether the server may know streams of lists

    def request(self, stream_s: int) -> Request:
        """The request to send next; a stream is asked to last so long."""
        if self._stream_tries:
            return targets.initial_stream(self._resource, stream_s, self._selector)
        return self._page()

    @property
    def ahead(self) -> Request | None:
        """The page after the one that is being taken in; none where that is the last."""
        return self._page() if self._token else None

    @property
    def has_begun(self) -> bool:
        """Whether there were pages, and there is a token for more."""
        return bool(self._token)

    def draft(self, *, afresh: bool) -> Draft:
        """What the list is taken into; afresh is for one that begins now, as Draft has it."""
        if self._draft is None:
            self._draft = Draft(self._resource, self._options, self._known, afresh=afresh)
        return self._draft

    def is_taken_into(self, draft: Draft) -> bool:
        """Whether it still is; the list may have been given up meanwhile."""
        return draft is self._draft

    def goes_on(self, token: str) -> None:
        """A page has come that said by which token the next is asked for, "" for the last."""
        self._token = token

    def oversized(self) -> None:
        """More came than can be taken: the next page will be of half as many objects."""
        self._limit = max(1, self._limit // 2)

    def broke_off(self, *, streaming: bool) -> None:
        """What was asked last came to nothing; half a list counts for nothing (K05)."""
        self._stream_tries -= bool(streaming and self._stream_tries)
        self.forget()

    def refused(self, refusal: Refusal) -> bool:
        """The server has refused what was asked last; whether it is to be asked in another way at once."""
        begun, streamed = self.has_begun, bool(self._stream_tries)
        self.forget()
        if streamed and (refusal.bad_request or refusal.too_new):
            self._stream_tries, self._streams = 0, False
            return True
        if begun and refusal.expired and self._streams:
            self._stream_tries = _STREAM_TRIES
        return False

    def done(self) -> None:
        """The list was whole."""
        self.forget()
        self._stream_tries = self._stream_tries and _STREAM_TRIES

    def forget(self) -> None:
        """Begins again, in the same way."""
        self._draft, self._token = None, ""

    def _page(self) -> Request:
        return targets.page(self._resource, self._limit, self._token, self._selector)
