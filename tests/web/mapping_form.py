"""The form of Attribute Mapping as a browser without script has it: read off the page, changed, and sent."""

import re
from html import unescape
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.cast import Browser

HERE = "/t/contoso/provisioning"


def drawn(page: str) -> MultiDict[str, str]:
    """What a browser would send of the mapping form as it stands."""
    body = page[page.index('id="mapping"') : page.index("</form>", page.index('id="mapping"'))]
    sent: MultiDict[str, str] = MultiDict()
    for tag in re.finditer(r"<(?:input\b([^>]*)|select\b([^>]*)>(.*?)</select)>", body, re.DOTALL):
        attributes, inside = tag[1] or tag[2], tag[3]
        told = dict(re.findall(r'([\w-]+)="([^"]*)"', attributes))
        bare = re.sub(r'"[^"]*"', "", attributes)
        if "name" not in told or "disabled" in bare or "form" in told:
            continue
        if inside is not None:
            options = re.findall(r'<option value="([^"]*)"( selected)?', inside)
            sent.add(told["name"], unescape(next((value for value, on in options if on), options[0][0])))
        elif told.get("type") != "checkbox" or re.search(r"\bchecked\b", bare):
            sent.add(told["name"], unescape(told.get("value", "")))
    return sent


def posted(browser: Browser, form: MultiDict[str, str], path: str = "", **more: Any) -> TestResponse:
    """The answer to this form."""
    sent = form.copy()
    sent["csrf_token"] = browser.token()
    return browser.client.post(HERE + path, data=sent, **more)


def put(form: MultiDict[str, str], name: str, index: int, value: str) -> None:
    """Enter a value in the row of this number."""
    values = form.getlist(name)
    values[index] = value
    form.setlist(name, values)
