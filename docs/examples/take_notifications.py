"""A subscriber's endpoint in twenty lines: prints what it is told, and answers 200. Usage: take_notifications.py PORT"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = bundle["entry"][0]["resource"]["parameter"]
        values = {one["name"]: next((value for key, value in one.items() if key.startswith("value")), None) for one in told}
        print(values["type"], values["events-since-subscription-start"], flush=True)
        for event in (one["part"] for one in told if one["name"] == "notification-event"):
            for part in event:
                print(f"    {part['name']}: {part.get('valueString') or part.get('valueInstant') or part['valueReference']['reference']}", flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
