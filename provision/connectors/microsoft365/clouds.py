"""The Microsoft clouds that exist, and which of them a discovery document speaks of.

Owns addresses only; never reaches out. Clouds of one's own (the sandbox, a custom one) come from the settings.
"""

from collections.abc import Mapping
from typing import Any

from provision.connectors.http import Cloud

CLOUDS: dict[str, Cloud] = {
    cloud.name: cloud
    for cloud in (
        Cloud("global", "https://login.microsoftonline.com", "https://graph.microsoft.com", public=True),
        Cloud("usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us", public=True),
        Cloud("dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", public=True),
        Cloud(
            "china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", public=True
        ),
    )
}
"""https://learn.microsoft.com/graph/deployments; GCC tenants live in the global cloud."""

PORTALS: dict[str, str] = {
    "global": "https://m365.cloud.microsoft/",
    "usgov": "https://portal.office365.us/",
    "dod": "https://portal.apps.mil/",
    "china": "https://portal.partner.microsoftonline.cn/",
    "sandbox": "/sandbox/signin",
}
"""Where people go to work once they have a password. Only these are ever linked to."""

INSTANCES = {
    "microsoftonline.com": "global",
    "microsoftonline.us": "usgov",
    "partner.microsoftonline.cn": "china",
    "chinacloudapi.cn": "china",
}


def portal(config: Mapping[str, Any]) -> str:
    """Where the people of a tenant go; empty for a cloud of one's own."""
    return PORTALS.get(str(config.get("cloud") or "global"), "")


def shown_to(config: Mapping[str, Any]) -> frozenset[str]:
    """Where the credential signs in: the cloud's own place, or a cloud of one's own by its name."""
    name = str(config.get("cloud") or "global")
    return frozenset({CLOUDS[name].login_url if name in CLOUDS else name})


def named(discovery: Mapping[str, Any]) -> str | None:
    """Return the cloud that a tenant's discovery document names, by its Graph host first, or None when it names none."""
    graph_host = str(discovery.get("msgraph_host") or "").lower()
    for cloud in CLOUDS.values():
        if graph_host == cloud.graph_url.removeprefix("https://"):
            return cloud.name
    sub_scope = str(discovery.get("tenant_region_sub_scope") or "").upper()
    instance = INSTANCES.get(str(discovery.get("cloud_instance_name") or "").lower())
    if instance == "usgov" or discovery.get("tenant_region_scope") == "USGov":
        return "dod" if sub_scope == "DOD" else "usgov"
    return instance
