"""What one writes first: twenty threads, one POST per person. ``naive_write.py URL CA NUMBER``; nothing of ours in it.

Nothing is remembered: whoever is cut short here does not know who was created.
"""

import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2

THREADS = 20


def main() -> None:
    url, ca, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with httpx2.Client(verify=ssl.create_default_context(cafile=ca), timeout=60) as client:

        def create(which: int) -> None:
            body = {
                "accountEnabled": True,
                "displayName": f"Person {which}",
                "givenName": "Person",
                "surname": str(which),
                "mailNickname": f"person{which}",
                "userPrincipalName": f"person{which}@contoso.example",
                "passwordProfile": {"password": "x" * 32, "forceChangePasswordNextSignIn": True},
            }
            client.post(f"{url}/v1.0/users", json=body).raise_for_status()

        began = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(create, range(number)))
        print(json.dumps({"number": number, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
