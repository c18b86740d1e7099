"""What every contender tells about its run, as one line of JSON. Imports nothing of the product's."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_NAMES = (
    "id userPrincipalName displayName givenName surname mail mailNickname jobTitle department companyName officeLocation",
    "employeeId employeeType accountEnabled usageLocation preferredLanguage mobilePhone businessPhones city country",
    "userType createdDateTime onPremisesSyncEnabled onPremisesImmutableId proxyAddresses assignedLicenses",
)
FIELDS = " ".join(_NAMES).split()


def megabytes(name: str) -> float:
    """VmRSS (now) or VmHWM (at most so far) of this process; 0 where there is no /proc."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def measure(run: Callable[[], int]) -> None:
    """Run, and print people, seconds passed and worked, and memory before and at most."""
    idle = megabytes("VmRSS")
    began, worked = time.perf_counter(), time.process_time()
    people = run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    print(json.dumps({"people": people, "seconds": seconds, "cpu": cpu, "idle": idle, "peak": megabytes("VmHWM")}))


def bodies(url: str, ca: str) -> Iterator[bytes]:
    """The bytes of every page, over one connection that is kept alive."""
    import ssl

    import httpx2

    with httpx2.Client(verify=ssl.create_default_context(cafile=ca), timeout=60) as client:
        link: str | None = f"{url}/v1.0/users/delta?$select={','.join(FIELDS)}"
        while link:
            body = client.get(link).content
            yield body
            link = _next(body)


def _next(body: bytes) -> str | None:
    mark = b'"@odata.nextLink":"'
    at = body.rfind(mark)
    return body[at + len(mark) : body.index(b'"', at + len(mark))].decode() if at >= 0 else None
