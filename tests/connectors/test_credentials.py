"""Secrets and certificates, judged at the door."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from provision.connectors import Secret, parse_certificate, parse_secret
from provision.core.ports import Refused

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
PEM = serialization.Encoding.PEM
PLAIN = serialization.NoEncryption()


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = RSA, days: int = 365) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provision")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(NOW - timedelta(days=999)).not_valid_after(NOW + timedelta(days=days))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(PEM)


def private(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = RSA,
    form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8,
    lock: serialization.KeySerializationEncryption = PLAIN,
) -> bytes:
    return key.private_bytes(PEM, form, lock)


LOCKED = private(lock=serialization.BestAvailableEncryption(b"open sesame"))


@pytest.mark.parametrize(
    "pem",
    [
        certificate() + private(),
        private() + certificate(),
        certificate() + private(form=serialization.PrivateFormat.TraditionalOpenSSL),
        b"Bag Attributes\n  friendlyName: x\n" + certificate() + b"\n" + private(),
        certificate(OTHER) + certificate() + private(),
    ],
    ids=["certificate first", "key first", "traditional key", "with chatter", "chain in any order"],
)
def test_a_file_with_both_is_read_and_its_own_certificate_comes_first(pem: bytes) -> None:
    secret = parse_certificate(pem, now=NOW)
    assert secret.certificate is not None
    assert secret.certificate.public_key() == RSA.public_key()
    assert secret.client_secret is None


def test_a_locked_key_opens_with_its_passphrase_and_is_kept_without_it() -> None:
    secret = parse_certificate(certificate() + LOCKED, passphrase="open sesame", now=NOW)
    assert parse_certificate((secret.certificate_pem or "").encode(), now=NOW) == secret


@pytest.mark.parametrize(
    ("pem", "passphrase", "code"),
    [
        (b"", None, "certificate_unreadable"),
        (b"\xff\x00 not a pem", None, "certificate_unreadable"),
        (private(), None, "certificate_unreadable"),
        (certificate().replace(b"M", b"#", 5) + private(), None, "certificate_unreadable"),
        (certificate(), None, "certificate_without_key"),
        (certificate() + private(OTHER), None, "certificate_key_differs"),
        (certificate() + LOCKED, None, "certificate_passphrase"),
        (certificate() + LOCKED, "guess", "certificate_passphrase"),
        (certificate(CURVE) + private(CURVE), None, "certificate_key_kind"),
        (certificate(days=-1) + private(), None, "certificate_expired"),
        (
            certificate() + b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            None,
            "certificate_unreadable",
        ),
    ],
)
def test_a_file_that_cannot_sign_is_refused_with_its_reason(pem: bytes, passphrase: str | None, code: str) -> None:
    with pytest.raises(Refused) as raised:
        parse_certificate(pem, passphrase=passphrase, now=NOW)
    assert raised.value.code == code


def test_a_pasted_secret_loses_the_white_space_around_it() -> None:
    assert parse_secret("  a~b.C-1\n").client_secret == "a~b.C-1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "secret_missing"),
        (" \n", "secret_missing"),
        ("two words", "secret_unreadable"),
        ("ключ", "secret_unreadable"),
    ],
)
def test_what_is_no_secret_is_refused(text: str, code: str) -> None:
    with pytest.raises(Refused) as raised:
        parse_secret(text)
    assert raised.value.code == code


@pytest.mark.parametrize("secret", [Secret(client_secret="canary"), parse_certificate(certificate() + private())])
def test_a_secret_survives_sealing_and_never_shows_itself(secret: Secret) -> None:
    assert Secret.from_json(secret.as_json()) == secret
    assert "canary" not in repr(secret)
    assert "PRIVATE KEY" not in repr(secret)
