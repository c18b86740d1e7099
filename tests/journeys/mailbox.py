"""The mails of a running product that has no mail server: files, read as somebody's mail program would. Sends nothing."""

import email
import email.policy
import re
from email.message import EmailMessage

from tests.journeys.product import Product


def mails(product: Product, address: str) -> list[EmailMessage]:
    """What was sent to this address so far, oldest first."""
    files = sorted((product.folder / "data" / "mail").glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
    found = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
    return [each for each in found if isinstance(each, EmailMessage) and address in str(each["To"])]


def awaited(product: Product, address: str, number: int = 1) -> EmailMessage:
    """The mail of this number to an address, as soon as it has left."""
    product.until(lambda: len(mails(product, address)) >= number, f"mail {number} to {address}")
    return mails(product, address)[number - 1]


def text_of(mail: EmailMessage) -> str:
    """The plain part."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def link_in(mail: EmailMessage) -> str:
    """The address that its button and its text lead to."""
    found = re.search(r"https?://\S+/activate/[\w-]+", text_of(mail))
    assert found, text_of(mail)
    return found[0]
