"""The registry's entry for applications that speak SCIM 2.0."""

from provision.connectors.kinds import KindSpec, MappingDefault, MatchingRule, SecretAsked
from provision.connectors.scim import build, schema
from provision.connectors.scim.config import ScimConfig, shown_to
from provision.core.ports import Pace
from provision.core.vocabulary import Direction, Kind, Offer, Owner

SPEC = KindSpec(
    kind=Kind.SCIM,
    label="SCIM 2.0 application",
    config=ScimConfig,
    is_target=True,
    consents=False,
    default_mappings=(
        MappingDefault(schema.SIGN_IN, "email", owner=Owner.OURS, matching_priority=1),
        MappingDefault("name.givenName", "given_name", owner=Owner.OURS),
        MappingDefault("name.familyName", "surname", owner=Owner.OURS),
        MappingDefault("displayName", "display_name", owner=Owner.OURS),
        MappingDefault("emails.work", "email", owner=Owner.OURS, direction=Direction.OUT),
        MappingDefault("title", "title", owner=Owner.OURS),
        MappingDefault("department", "department", owner=Owner.OURS),
    ),
    matching=(MatchingRule("employeeNumber", "employee_id", 2),),
    schema=schema.STANDARD,
    sign_in=schema.SIGN_IN,
    build=build,
    about="Any application with a SCIM interface: people are created, changed and switched off there.",
    place="base_url",
    secret=SecretAsked(
        "Bearer token or client secret",
        "The application’s administrator page shows it. It is sealed here and never shown again.",
    ),
    shown_to=shown_to,
    discover=schema.discover,
    correlation=schema.MARK,
    # No limit is published by the standard; what one polite client sends.
    pace=Pace(rate=10.0, capacity=200.0, width=4),
    takes={Offer.PASSWORD: ()},
    takes_if="passwords",
    groups_if="groups",
)
