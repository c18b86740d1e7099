"""Whether a password that somebody chose is good enough, judged without any network. Keeps and hashes nothing.

Operators' passwords are judged by ``judge``, those that people set by a link in ``choosing``. It also makes the first
password of an account.

NIST SP 800-63B-4: at least 15 characters where the password is the only factor, no rules about classes of characters, no
cut, and a list of what is too common; long passwords are mostly guessed as repetitions and chains of common words, so
what counts is how much is left when those are taken out.
"""

import base64
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Sequence

MINIMUM = 15
MAXIMUM = 256
_LEFT_AT_LEAST = 6
_SIGNS_AT_LEAST = 5
_YEAR = re.compile(r"(19|20)\d\d")

COMMON = (
    "password", "passwort", "passw0rd", "motdepasse", "contrasena", "wachtwoord", "lozinka", "heslo", "senha", "parola",
    "changeme", "changeit", "letmein", "welcome", "willkommen", "bienvenue", "default", "geheim", "secret", "hemligt",
    "admin", "administrator", "manager", "owner", "root", "master", "superuser", "operator", "office", "microsoft",
    "windows", "outlook", "company", "business", "server", "system", "login", "signin", "access", "test", "temp", "demo",
    "qwertyuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "asdfgh", "asdf", "zxcvbnm", "zxcvbn", "yxcvbnm", "1q2w3e4r",
    "1qaz2wsx", "qazwsx", "q1w2e3r4", "abcdefghijklmnopqrstuvwxyz", "abcdefgh", "abcdef", "abc123", "abcd", "abc",
    "12345678901234567890", "1234567890", "123456789", "12345678", "1234567", "123456", "12345", "1234", "123",
    "0987654321", "987654321", "87654321", "7654321", "654321", "54321", "4321", "321", "monkey", "dragon", "football",
    "baseball", "basketball", "hockey", "soccer", "liverpool", "arsenal", "chelsea", "barcelona", "superman", "batman",
    "spiderman", "starwars", "pokemon", "princess", "sunshine", "shadow", "flower", "butterfly", "chocolate", "cookie",
    "summer", "winter", "spring", "autumn", "sommer", "herbst", "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december", "monday", "tuesday", "wednesday", "thursday",
    "friday", "saturday", "sunday", "iloveyou", "loveyou", "love", "hello", "hallo", "bonjour", "michael", "jennifer",
    "jessica", "daniel", "thomas", "andrew", "charlie", "george", "jordan", "ashley", "hunter", "killer", "ninja",
    "mustang", "ferrari", "mercedes", "porsche", "computer", "internet", "whatever", "freedom", "trustno1", "nothing",
    "correcthorsebatterystaple", "thequickbrownfox",
)  # fmt: skip


def judge(password: str, *, about: Sequence[str] = ()) -> str | None:
    """Return the remedy code of what is wrong, or None. ``about`` holds words of the person and the organisation."""
    if len(password) < MINIMUM:
        return "password_short"
    if len(password) > MAXIMUM:
        return "password_long"
    plain = unicodedata.normalize("NFKC", password).casefold()
    return "password_common" if common(plain, about) else None


def common(plain: str, about: Sequence[str] = ()) -> bool:
    """Whether too little is left when what everybody guesses first is taken out; ``plain`` is casefolded NFKC."""
    if len(set(plain)) < _SIGNS_AT_LEAST or _repeats(plain):
        return True
    own = [word for word in (key.casefold() for key in about) if len(word) >= 3]
    return len(_without(plain, own)) < _LEFT_AT_LEAST


def initial(token_bytes: Callable[[int], bytes]) -> str:
    """A first password that nobody ever sees: 40 characters, 36 of them random, all four of Microsoft's classes in it.

    Microsoft asks for 8 to 256 characters of three classes, none beyond ASCII:
    https://learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad-combined-policy
    """
    text = base64.urlsafe_b64encode(token_bytes(27)).decode().replace("-", "x").replace("_", "y")
    return f"Aa1!{text}"


def network(address: str) -> str:
    """The network an address belongs to, for counting: IPv4 /24, IPv6 /64; anything else as it is."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    return str(ipaddress.ip_network(f"{parsed}/{24 if parsed.version == 4 else 64}", strict=False))


def _repeats(text: str) -> bool:
    """Whether it is one piece over and over: then it occurs in itself, doubled, before its end."""
    return (text + text).find(text, 1) < len(text)


def _without(text: str, own: Sequence[str]) -> str:
    for word in sorted({*COMMON, *own}, key=len, reverse=True):
        text = text.replace(word, " ")
    return "".join(sign for sign in _YEAR.sub(" ", text) if sign.isalnum())
