"""A Graph that answers as fast as a socket lets it: pages are rendered before the first request.

    python benchmarks/fake_graph.py --people 100000 --changes 1000 --folder DIR

Speaks TLS with a throw-away authority (``ca.pem`` in DIR), keeps connections alive and knows the few addresses that an
import asks for. Prints its address as one line of JSON once it listens. Never the bottleneck on purpose, never clever.
"""

import argparse
import json
import random
import socket
import ssl
import threading
import uuid
from pathlib import Path

import trustme

TENANT = "7c1f4d0a-92be-4b6d-8f53-0be1a6c4d2e7"
PAGE = 999
FIRST = (
    "Ada",
    "Ben",
    "Chidi",
    "Dana",
    "Eun",
    "Farid",
    "Grete",
    "Hana",
    "Ivo",
    "Jana",
    "Kofi",
    "Lale",
    "Mei",
    "Nils",
    "Pia",
)
LAST = (
    "Andersen",
    "Bauer",
    "Costa",
    "Dvořák",
    "Eze",
    "Fischer",
    "Grabowski",
    "Hansen",
    "Ito",
    "Jensen",
    "Kaya",
    "Müller",
)


def person(number: int, *, changed: bool = False) -> dict[str, object]:
    """One user of 26 properties and about 900 bytes, the same for the same number."""
    chance = random.Random(number)
    first, last = chance.choice(FIRST), chance.choice(LAST)
    name = f"{first}.{last}.{number}".lower()
    return {
        "id": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        "userPrincipalName": f"{name}@contoso.example",
        "displayName": f"{first} {last}",
        "givenName": first,
        "surname": "Changed" if changed else last,
        "mail": f"{name}@contoso.example",
        "mailNickname": name,
        "jobTitle": "Engineer",
        "department": f"Department {number % 40}",
        "companyName": "Contoso",
        "officeLocation": f"Building {number % 9}",
        "employeeId": str(100_000 + number),
        "employeeType": "Employee",
        "accountEnabled": number % 20 != 0,
        "usageLocation": "NO",
        "preferredLanguage": "nb-NO",
        "mobilePhone": f"+47 {number:08}",
        "businessPhones": [f"+47 {number:08}"],
        "city": "Bergen",
        "country": "Norway",
        "userType": "Member",
        "createdDateTime": "2024-03-01T08:00:00Z",
        "onPremisesSyncEnabled": None,
        "onPremisesImmutableId": None,
        "proxyAddresses": [f"SMTP:{name}@contoso.example"],
        "assignedLicenses": [{"disabledPlans": [], "skuId": "cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"}],
    }


class Answers:
    """Every answer there is, as bytes ready to send, by what its address holds."""

    def __init__(self, root: str, people: int, changes: int) -> None:
        begin = [person(number) for number in range(people)]
        moved = [person(number * (people // max(changes, 1)), changed=True) for number in range(changes)]
        delta = f"{root}/v1.0/users/delta"
        here = f"{root}/{TENANT}"
        self.pages = self._walk(begin, f"{delta}?$skiptoken=", f"{delta}?$deltatoken=all")
        self.changes = self._walk(moved, f"{delta}?$skiptoken=c", f"{delta}?$deltatoken=all")
        self.others = {
            "openid-configuration": _answer(
                {
                    "issuer": f"{here}/v2.0",
                    "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{here}/oauth2/v2.0/token",
                }
            ),
            "/token": _answer({"token_type": "Bearer", "expires_in": 3599, "access_token": "a.b.c"}),
            "/organization": _answer({"value": [{"id": TENANT, "displayName": "Contoso", "verifiedDomains": []}]}),
        }

    def of(self, target: str) -> bytes:
        if "/users/delta" in target:
            if "token=c" in target:
                return self.changes[int(target.rpartition("token=c")[2])]
            if "deltatoken=" in target:
                return self.changes[0]
            if "skiptoken=" in target:
                return self.pages[int(target.rpartition("=")[2])]
            return self.pages[0]
        return next((answer for part, answer in self.others.items() if part in target), _answer({}, "404 Not Found"))

    @staticmethod
    def _walk(people: list[dict[str, object]], onward: str, last: str) -> list[bytes]:
        parts = [people[start : start + PAGE] for start in range(0, len(people), PAGE)] or [[]]
        bodies: list[dict[str, object]] = [
            {"value": part, "@odata.nextLink": f"{onward}{n + 1}"} for n, part in enumerate(parts)
        ]
        bodies[-1] = {"@odata.deltaLink": last, "value": parts[-1]}
        return [_answer(body) for body in bodies]


def _answer(body: object, status: str = "200 OK") -> bytes:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _serve(raw: socket.socket, context: ssl.SSLContext, answers: Answers) -> None:
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
                length = next(
                    (int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")), 0
                )
                while len(waiting) < length:
                    waiting += connection.recv(65536)
                waiting = waiting[length:]
                connection.sendall(answers.of(lines[0].split(" ")[1].replace("%24", "$")))
    except OSError:
        return


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(given.folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0), backlog=16)
    url = f"https://localhost:{listener.getsockname()[1]}"
    answers = Answers(url, given.people, given.changes)
    print(json.dumps({"url": url, "tenant": TENANT, "ca": str(given.folder / "ca.pem")}), flush=True)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(connection, context, answers), daemon=True).start()


if __name__ == "__main__":
    main()
