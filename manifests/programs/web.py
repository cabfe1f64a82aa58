"""A web server that answers every request with the time and how many it has answered."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

_numbers = count(1)


class TimePage(BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self) -> None:
        body = json.dumps({"time": time.strftime("%H:%M:%S"), "answer": next(_numbers)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "18371"))
    print(f"web: listening on port {port}")
    HTTPServer(("127.0.0.1", port), TimePage).serve_forever()
