"""Somebody who is told by a webhook, as Apprise's ``json://`` calls it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Webhook:
    """Keeps the messages it is sent; refuses them while it is not ``well``."""

    def __init__(self):
        self.messages = []
        self.asked = 0
        self.well = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"json://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def lines(self):
        """The lines of the only message."""
        (message,) = self.messages
        return message["message"].splitlines()


def _handler(webhook):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.asked += 1
            if webhook.well:
                webhook.messages.append(json.loads(body))
            self.send_response(200 if webhook.well else 500)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler
