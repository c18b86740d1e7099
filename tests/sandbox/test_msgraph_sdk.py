"""Microsoft's own client library against the sandbox over TLS: what it returns has the types it promises."""

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import httpx2
import msal
import pytest

from provision.sandbox import Sandbox
from tests.processes import PATIENCE

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # the library warns about itself while it is imported
    from kiota_abstractions.authentication import (
        AccessTokenProvider,
        AllowedHostsValidator,
        BaseBearerTokenAuthenticationProvider,
    )
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.password_profile import PasswordProfile
    from msgraph.generated.models.reference_update import ReferenceUpdate
    from msgraph.generated.models.user import User
    from msgraph.generated.users.delta.delta_request_builder import DeltaRequestBuilder
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder

# more of the library is imported the first time it is used
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

Work = Callable[[GraphServiceClient], Awaitable[None]]


class MsalTokens(AccessTokenProvider):
    """Hands the library the tokens that MSAL got."""

    def __init__(self, sandbox: Sandbox, context: ssl.SSLContext) -> None:
        known = sandbox.credentials()
        self.scope = f"{known['graph_url']}/.default"
        self.client = httpx2.Client(verify=context, trust_env=False, timeout=PATIENCE)
        self.app = msal.ConfidentialClientApplication(
            known["client_id"],
            client_credential=known["client_secret"],
            authority=f"{known['login_url']}/{known['tenant']}",
            instance_discovery=False,
            azure_region=False,
            http_client=self.client,
        )

    async def get_authorization_token(self, uri: str, additional_authentication_context: Any = None) -> str:
        token: str = self.app.acquire_token_for_client([self.scope])["access_token"]
        return token

    def get_allowed_hosts_validator(self) -> AllowedHostsValidator:
        return AllowedHostsValidator([])


@pytest.fixture
def with_sdk(served: tuple[Sandbox, ssl.SSLContext]) -> Callable[[Work], None]:
    """Run some work with Microsoft's client, connected to the sandbox as to any national cloud."""
    sandbox, context = served
    sandbox.grant_consent()
    sandbox.assign_role("User Administrator")

    async def connected(work: Work) -> None:
        tokens = MsalTokens(sandbox, context)
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=PATIENCE) as http:
            adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(tokens), http)
            adapter.base_url = f"{sandbox.cloud.graph_url}/v1.0"
            await work(GraphServiceClient(request_adapter=adapter))
        tokens.client.close()

    # On a thread of its own: a browser of another test may keep a loop running on this one.
    def run(work: Any) -> Any:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(connected(work))).result()

    return run


def new_user() -> User:
    return User(
        account_enabled=True,
        display_name="Nélida Ødegård",
        mail_nickname="nelida",
        user_principal_name="nelida@fjordvik.example",
        usage_location="NO",
        employee_hire_date=datetime(2026, 1, 31, tzinfo=UTC),
        other_mails=["nelida@home.example"],
        password_profile=PasswordProfile(password="Korrekt-Horse-9", force_change_password_next_sign_in=False),
    )


def test_listing_gives_typed_people_page_by_page(with_sdk: Callable[[Work], None]) -> None:
    async def work(graph: GraphServiceClient) -> None:
        select = ["id", "displayName", "accountEnabled", "createdDateTime", "assignedLicenses", "businessPhones"]
        asked = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=select, top=25)
        page = await graph.users.get(RequestConfiguration(query_parameters=asked))
        people: list[User] = []
        while page:
            people += page.value
            page = await graph.users.with_url(page.odata_next_link).get() if page.odata_next_link else None
        assert len({person.id for person in people}) == 60
        assert all(type(person.account_enabled) is bool for person in people)
        assert all(isinstance(person.created_date_time, datetime) for person in people)
        licensed = next(person for person in people if person.assigned_licenses)
        assert str(licensed.assigned_licenses[0].sku_id)
        assert licensed.assigned_licenses[0].disabled_plans == []

    with_sdk(work)


def test_a_person_is_created_read_changed_and_deleted(with_sdk: Callable[[Work], None]) -> None:
    async def work(graph: GraphServiceClient) -> None:
        made = await graph.users.post(new_user())
        assert made
        assert (made.display_name, made.user_principal_name) == ("Nélida Ødegård", "nelida@fjordvik.example")
        assert made.additional_data["@odata.context"].endswith("/$metadata#users/$entity")
        one = graph.users.by_user_id(str(made.id))
        assert await one.patch(User(job_title="Mate", account_enabled=False)) is None
        found = await graph.users.by_user_id("nelida@fjordvik.example").get()
        assert found
        assert (found.id, found.job_title, found.business_phones) == (made.id, "Mate", [])
        await one.delete()
        with pytest.raises(ODataError) as missing:
            await one.get()
        assert missing.value.response_status_code == 404
        assert missing.value.error
        assert missing.value.error.code == "Request_ResourceNotFound"
        assert missing.value.error.inner_error.request_id

    with_sdk(work)


def test_a_conflict_arrives_with_its_details(with_sdk: Callable[[Work], None]) -> None:
    async def work(graph: GraphServiceClient) -> None:
        await graph.users.post(new_user())
        with pytest.raises(ODataError) as refused:
            await graph.users.post(new_user())
        error = refused.value.error
        assert error
        assert error.details
        assert [(one.code, one.target) for one in error.details] == [("ObjectConflict", "userPrincipalName")]

    with_sdk(work)


def test_a_manager_is_set_and_read(with_sdk: Callable[[Work], None]) -> None:
    async def work(graph: GraphServiceClient) -> None:
        made = await graph.users.post(new_user())
        admin = await graph.users.by_user_id("admin@fjordvik.onmicrosoft.com").get()
        assert made
        assert admin
        reference = ReferenceUpdate(odata_id=f"https://graph.microsoft.com/v1.0/users/{admin.id}")
        await graph.users.by_user_id(str(made.id)).manager.ref.put(reference)
        manager = await graph.users.by_user_id(str(made.id)).manager.get()
        assert isinstance(manager, User)
        assert manager.display_name == "Emergency Access"

    with_sdk(work)


def test_delta_is_walked_and_tells_what_changed(with_sdk: Callable[[Work], None]) -> None:
    async def walk(graph: GraphServiceClient, page: Any) -> tuple[list[User], str]:
        people: list[User] = []
        while True:
            people += page.value
            if page.odata_delta_link:
                return people, page.odata_delta_link
            page = await graph.users.delta.with_url(page.odata_next_link).get()

    async def work(graph: GraphServiceClient) -> None:
        asked = DeltaRequestBuilder.DeltaRequestBuilderGetQueryParameters(select=["displayName", "accountEnabled"])
        configuration = RequestConfiguration(query_parameters=asked)
        configuration.headers.add("Prefer", "odata.maxpagesize=25")
        people, link = await walk(graph, await graph.users.delta.get(configuration))
        assert len({person.id for person in people}) == 60
        made = await graph.users.post(new_user())
        gone = next(person for person in people if str(person.display_name).startswith("Bookings"))
        await graph.users.by_user_id(str(gone.id)).delete()
        changed, _ = await walk(graph, await graph.users.delta.with_url(link).get())
        found = {person.id: person for person in changed}
        assert made
        assert set(found) == {made.id, gone.id}
        assert found[made.id].account_enabled is True
        assert found[gone.id].additional_data["@removed"] == {"reason": "changed"}

    with_sdk(work)


def test_the_tenant_describes_itself(with_sdk: Callable[[Work], None]) -> None:
    async def work(graph: GraphServiceClient) -> None:
        organizations = await graph.organization.get()
        domains = await graph.domains.get()
        skus = await graph.subscribed_skus.get()
        assert organizations
        assert domains
        assert skus
        (organization,) = organizations.value or []
        assert organization.display_name == "Fjordvik Shipping AS"
        assert organization.on_premises_sync_enabled is True
        assert {domain.id for domain in domains.value or [] if domain.authentication_type == "Federated"} == {
            "skerry.example"
        }
        first = (skus.value or [])[0]
        assert first.prepaid_units
        assert (first.prepaid_units.enabled or 0) - (first.consumed_units or 0) == 5

    with_sdk(work)
