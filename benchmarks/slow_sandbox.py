"""The sandbox over TLS with a latency per request and Microsoft's write quota: ``slow_sandbox.py LATENCY FOLDER``."""

import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from provision.sandbox import Faults, Sandbox
from provision.sandbox.serve import Server, tls_context


def main() -> None:
    latency, folder = float(sys.argv[1]), Path(sys.argv[2])
    server = Server("127.0.0.1", 0, tls_context("127.0.0.1", folder))
    faults = Faults(write_quota=1.0)
    sandbox = Sandbox(folder / "sandbox.db", users=20, faults=faults, login_url=server.url, graph_url=server.url)
    sandbox.grant_consent()
    throttled = [0]

    def application(environ: Any, start_response: Any) -> Any:
        time.sleep(latency)
        body = b"".join(sandbox.wsgi(environ, start_response))
        throttled[0] += body.count(b'"status":429') + body.count(b'"status": 429')
        return [body]

    server.application = application
    told = {**sandbox.credentials(), "url": server.url, "ca": str(folder / "ca.pem")}
    print(json.dumps(told), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    print(json.dumps({"throttled": throttled[0]}), flush=True)


if __name__ == "__main__":
    main()
