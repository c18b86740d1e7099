"""The kinds of outside systems there are, and everything about a kind that is not code of its own.

Owns the registry; never makes a connector by itself and never opens a secret.
"""

from provision.connectors import microsoft365, scim_source
from provision.connectors.credentials import Secret, parse_certificate, parse_secret
from provision.connectors.csv_file import SPEC as CSV
from provision.connectors.http import Cloud, World
from provision.connectors.kinds import KindSpec, MappingDefault, MatchingRule, SecretAsked
from provision.connectors.microsoft365.clouds import CLOUDS, portal, shown_to
from provision.connectors.microsoft365.config import Microsoft365Config
from provision.connectors.microsoft365.consent import read_consent
from provision.connectors.microsoft365.permissions import PASS_RIGHTS, PASSWORD_RIGHTS
from provision.connectors.microsoft365.schema import ATTRIBUTES
from provision.connectors.reach import Reach, networks
from provision.connectors.scim.spec import SPEC as SCIM
from provision.core.ports import Pace
from provision.core.vocabulary import Kind, Offer, WhenGone

KINDS: dict[str, KindSpec] = {
    spec.kind: spec
    for spec in (
        KindSpec(
            kind=Kind.MICROSOFT365,
            label="Office 365 / Azure AD",
            config=Microsoft365Config,
            is_target=True,
            consents=True,
            default_mappings=(
                MappingDefault("givenName", "given_name"),
                MappingDefault("surname", "surname"),
                MappingDefault("mailNickname", "username"),
                MappingDefault("userPrincipalName", "email", matching_priority=1),
                MappingDefault("displayName", "display_name"),
            ),
            matching=(MatchingRule("employeeId", "employee_id", 2),),
            schema=ATTRIBUTES,
            sign_in="userPrincipalName",
            managers=True,
            build=microsoft365.build,
            read_consent=read_consent,
            about="People, licences and passwords of a Microsoft 365 tenant, after its administrator consents.",
            place="domain",
            shown_to=shown_to,
            guests=True,
            recycles=True,
            # 3,000 writes in 150 seconds per application and tenant: https://learn.microsoft.com/graph/throttling-limits
            pace=Pace(rate=20.0, capacity=3_000.0),
            advanced="Cloud and app registration",
            takes={Offer.PASSWORD: PASSWORD_RIGHTS, Offer.PASS: PASS_RIGHTS},
            judged_by="microsoft",
            portal=portal,
            advice="Every person who is to use Office 365 needs a free seat; check the numbers above before creating people.",
            later=(
                "Configure Microsoft Online Services",
                "Federates your domain so that people sign in here. For a new app you may skip this until all users are"
                " imported from Office 365.",
            ),
        ),
        KindSpec(
            kind=Kind.SCIM_SOURCE,
            label="SCIM client (source)",
            config=scim_source.ScimSourceConfig,
            is_target=False,
            consents=False,
            default_mappings=scim_source.DEFAULT_MAPPINGS,
            matching=scim_source.MATCHING,
            schema=scim_source.SCHEMA,
            sign_in="userName",
            managers=True,
            build=scim_source.build,
            about="An identity provider or HR system that pushes its people to us by SCIM 2.0, with a token of yours.",
            pulled=False,
            # Absence may be a fault of the source; a client that says so means it.
            when_gone=WhenGone.SUSPEND,
            discover=scim_source.discover,
        ),
        SCIM,
        CSV,
    )
}

__all__ = [
    "CLOUDS",
    "KINDS",
    "Cloud",
    "KindSpec",
    "MappingDefault",
    "MatchingRule",
    "Reach",
    "Secret",
    "SecretAsked",
    "World",
    "networks",
    "parse_certificate",
    "parse_secret",
]
