"""What one writes first: a loop, a model, one ``session.merge`` per person, a commit per page.

``naive_import.py URL CA FILE``. Imports nothing of the product's; stores one row per person: no account, event or match.
"""

import json
import sys

from measured import FIELDS, bodies, measure
from sqlmodel import Field, Session, SQLModel, create_engine

LISTS = ("businessPhones", "proxyAddresses", "assignedLicenses")


class User(SQLModel, table=True):
    id: str = Field(primary_key=True)
    userPrincipalName: str | None = Field(default=None, index=True)  # noqa: N815
    displayName: str | None = Field(default=None, index=True)  # noqa: N815
    givenName: str | None = None  # noqa: N815
    surname: str | None = None
    mail: str | None = Field(default=None, index=True)
    mailNickname: str | None = None  # noqa: N815
    jobTitle: str | None = None  # noqa: N815
    department: str | None = Field(default=None, index=True)
    companyName: str | None = None  # noqa: N815
    officeLocation: str | None = None  # noqa: N815
    employeeId: str | None = None  # noqa: N815
    employeeType: str | None = None  # noqa: N815
    accountEnabled: bool | None = None  # noqa: N815
    usageLocation: str | None = None  # noqa: N815
    preferredLanguage: str | None = None  # noqa: N815
    mobilePhone: str | None = None  # noqa: N815
    businessPhones: str | None = None  # noqa: N815
    city: str | None = None
    country: str | None = None
    userType: str | None = None  # noqa: N815
    createdDateTime: str | None = None  # noqa: N815
    onPremisesSyncEnabled: bool | None = None  # noqa: N815
    onPremisesImmutableId: str | None = None  # noqa: N815
    proxyAddresses: str | None = None  # noqa: N815
    assignedLicenses: str | None = None  # noqa: N815


def run() -> int:
    engine = create_engine(f"sqlite:///{sys.argv[3]}")
    SQLModel.metadata.create_all(engine)
    people = 0
    with Session(engine) as session:
        for body in bodies(*sys.argv[1:3]):
            for item in json.loads(body)["value"]:
                lists = {name: json.dumps(item[name]) for name in LISTS}
                session.merge(User(**{name: item.get(name) for name in FIELDS} | lists))
                people += 1
            session.commit()
            session.expunge_all()
    return people


if __name__ == "__main__":
    measure(run)
