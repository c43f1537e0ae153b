"""A proxy before the API server that loses events of watches when it is told to; all else passes as it is.

Plain HTTP on the client's side, TLS to the API server; a thread for each connection.
"""

import contextlib
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from tests.lab import Lab


class LossyProxy:
    """Before the API server of a lab, on a port of its own."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.losing = False
        self.lost = 0  # events
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    proxy.forward(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def forward(self, request: BaseHTTPRequestHandler) -> None:
        """Answers the request as the API server does, but for what is lost."""
        context = ssl.create_default_context(cafile=self.lab.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.lab.port, context=context)
        kept = {name: request.headers[name] for name in ("Accept", "Authorization") if name in request.headers}
        with contextlib.closing(connection):
            connection.request("GET", request.path, headers=kept)
            answer = connection.getresponse()
            if "watch=1" in request.path and answer.status == 200:
                self._stream(request, answer)
            else:
                body = answer.read()
                request.send_response(answer.status)
                request.send_header("Content-Length", str(len(body)))
                request.end_headers()
                request.wfile.write(body)

    def _stream(self, request: BaseHTTPRequestHandler, answer: http.client.HTTPResponse) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        while line := answer.readline():
            if self.losing and b'"type":"BOOKMARK"' not in line[:40]:
                self.lost += 1
                continue
            request.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            request.wfile.flush()
        request.wfile.write(b"0\r\n\r\n")
