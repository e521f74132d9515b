"""Servers on loopback: S3, and HTTP that fails as often as it is told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class Failing(SimpleHTTPRequestHandler):
    """Serves a folder; the first ``failures[path]`` requests for a path are answered with 503."""

    failures: ClassVar[Counter[str]] = Counter()
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        if self.failures[self.path] > 0:
            self.failures[self.path] -= 1
            self.send_error(503)
        elif "forbidden" in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def http(folder: Path) -> Iterator[str]:
    """The URL of a server of the folder."""
    Failing.failures, Failing.asked = Counter(), Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Failing, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
