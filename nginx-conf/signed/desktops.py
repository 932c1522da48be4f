#!/usr/bin/env python3
"""Makes the signed addresses of signed-lua.conf and signed-njs.conf; nginx.conf shows where it stands.

    desktops.py PORT KEY-FILE       listens on 127.0.0.1

It trusts X-User, since nginx alone can reach it. Fill DESKTOPS from wherever you know who may see what.
"""
import hmac, http.server, json, sys, time, urllib.parse

LIFETIME = 30  # seconds, from the click on the page until the WebSocket is open
DESKTOPS = {
    "alice": {"reception": "10.0.0.11:5900"},
    "bob": {"reception": "10.0.0.11:5900", "workshop": "10.0.0.12:5901"},
}
KEY = open(sys.argv[2]).readline().strip().encode()


def signed(target):
    expires = int(time.time()) + LIFETIME
    sign = hmac.new(KEY, f"{target} {expires}".encode(), "sha256").hexdigest()
    return f"websockify?target={target}&expires={expires}&sign={sign}"


class Desktops(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mine = DESKTOPS.get(self.headers.get("X-User"), {})
        name = urllib.parse.unquote(self.path.removeprefix("/desktops").lstrip("/"))
        answer = {"path": signed(mine[name])} if name in mine else sorted(mine) if not name else None
        self.send_response(404 if answer is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Desktops)
print(f"listening on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
