"""A Graph that takes writes as fast as a socket lets it, after a latency per request: one call alone, or twenty in a batch.

    python benchmarks/fake_writes.py --latency 0.05 --folder DIR

Everybody pays the latency once per request, whatever is in it, as over a network. Nothing is stored or judged.
"""

import argparse
import json
import socket
import ssl
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import trustme
from fake_graph import TENANT, Answers, _answer

EMPTY: dict[str, Any] = {"value": []}


def _item(method: str, url: str, body: Any) -> tuple[int, Any]:
    if method == "POST" and url.partition("?")[0].endswith("/users"):
        return 201, {"id": str(uuid.uuid4()), "userPrincipalName": body["userPrincipalName"]}
    return (200, EMPTY) if method == "GET" else (204, None)


def _batch(items: list[dict[str, Any]]) -> dict[str, Any]:
    responses = []
    for item in items:
        status, body = _item(item["method"], item["url"], item.get("body"))
        told: dict[str, Any] = {"id": item["id"], "status": status, "headers": {"Content-Type": "application/json"}}
        responses.append(told if body is None else {**told, "body": body})
    return {"responses": responses}


def _reply(method: str, target: str, content: bytes, answers: Answers, latency: float) -> bytes:
    if "/v1.0/" not in target or "/organization" in target:
        return answers.of(target)
    time.sleep(latency)
    if target.endswith("/$batch"):
        return _answer(_batch(json.loads(content)["requests"]))
    status, body = _item(method, target, json.loads(content) if content else None)
    return _answer(body, "201 Created" if status == 201 else "200 OK")


def _serve(raw: socket.socket, context: ssl.SSLContext, answers: Answers, latency: float) -> None:
    try:
        with context.wrap_socket(raw, server_side=True) as connection:
            waiting = b""
            while True:
                while b"\r\n\r\n" not in waiting:
                    more = connection.recv(65536)
                    if not more:
                        return
                    waiting += more
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                told = (int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
                length = next(told, 0)
                while len(waiting) < length:
                    waiting += connection.recv(65536)
                content, waiting = waiting[:length], waiting[length:]
                method, target, _ = lines[0].split(" ")
                connection.sendall(_reply(method, target.replace("%24", "$"), content, answers, latency))
    except OSError:
        return


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(given.folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    url = f"https://localhost:{listener.getsockname()[1]}"
    answers = Answers(url, 0, 0)
    print(json.dumps({"url": url, "tenant": TENANT, "ca": str(given.folder / "ca.pem")}), flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, context, answers, given.latency), daemon=True).start()


if __name__ == "__main__":
    main()
