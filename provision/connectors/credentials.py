"""What a connector proves itself with: a client secret, or a certificate with its private key.

Owns reading and judging them at the door; never stores them and never shows them.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

from provision.core.ports import Refused

KEY_BLOCK = re.compile(
    rb"-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----.+?-----END \1-----",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Secret:
    """One of the two. ``certificate_pem`` holds the certificate, its chain, and the private key without a passphrase."""

    client_secret: str | None = field(default=None, repr=False)
    certificate_pem: str | None = field(default=None, repr=False)

    def as_json(self) -> str:
        """Return what is to be sealed."""
        return json.dumps({"client_secret": self.client_secret, "certificate_pem": self.certificate_pem})

    @classmethod
    def from_json(cls, text: str) -> "Secret":
        """Return what was sealed."""
        return cls(**json.loads(text))

    @property
    def certificate(self) -> x509.Certificate | None:
        """The certificate whose key signs, when there is one."""
        return _certificates(self.certificate_pem.encode())[0] if self.certificate_pem else None


def parse_secret(text: str) -> Secret:
    """Read a client secret as a person pasted it. Raises Refused when nothing or more than one line is there."""
    value = text.strip()
    if not value:
        raise Refused("secret_missing")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise Refused("secret_unreadable")
    return Secret(client_secret=value)


def parse_certificate(pem: bytes, *, passphrase: str | None = None, now: datetime | None = None) -> Secret:
    """Read a PEM file with a certificate and its private key.

    The key is kept without its passphrase, since the vault seals it anyway. Raises Refused: certificate_unreadable,
    certificate_without_key, certificate_passphrase, certificate_key_differs, certificate_key_kind, certificate_expired.
    """
    certificates = _certificates(pem)
    block = KEY_BLOCK.search(pem)
    if block is None:
        raise Refused("certificate_without_key")
    key = _key(block[0], passphrase)
    own = [found for found in certificates if _public(found) == _spki(key.public_key())]
    if not own:
        raise Refused("certificate_key_differs")
    if not isinstance(key, RSAPrivateKey):
        raise Refused("certificate_key_kind")
    if now is not None and own[0].not_valid_after_utc <= now:
        raise Refused("certificate_expired", date=own[0].not_valid_after_utc.date().isoformat())
    return Secret(certificate_pem=_pem([own[0], *(found for found in certificates if found is not own[0])], key))


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        pass
    raise Refused("certificate_unreadable")


def _key(block: bytes, passphrase: str | None) -> PrivateKeyTypes:
    locked = b"ENCRYPTED" in block
    if locked and not passphrase:
        raise Refused("certificate_passphrase")
    try:
        return serialization.load_pem_private_key(block, passphrase.encode() if locked and passphrase else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise Refused("certificate_passphrase" if locked else "certificate_unreadable")


def _public(certificate: x509.Certificate) -> bytes | None:
    try:
        return _spki(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return None


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _pem(certificates: Sequence[x509.Certificate], key: RSAPrivateKey) -> str:
    chain = b"".join(found.public_bytes(serialization.Encoding.PEM) for found in certificates)
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (chain + plain).decode()
