"""What a column most likely holds, by its heading."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.core.headings import means, suggest
from provision.core.vocabulary import USER_ATTRIBUTES


@pytest.mark.parametrize(
    ("heading", "ours"),
    [
        ("First name", "given_name"), ("VORNAME", "given_name"), ("E-Mail-Adresse", "email"), ("userPrincipalName", "email"),
        ("Personal-Nr.", "employee_id"), ("Prénom", "given_name"), ("Dept.", "department"), ("Shoe size", None), ("", None),
    ],
)  # fmt: skip
def test_common_headings_are_understood(heading: str, ours: str | None) -> None:
    assert means(heading) == ours


LANGUAGES = {
    "German": "Personalnummer, Vorname, Nachname, E-Mail-Adresse, Benutzername, Abteilung, Stelle, Firma",
    "French": "Matricule, Prénom, Nom de famille, Adresse e-mail, Identifiant, Département, Poste, Société",
    "Spanish": "Número de empleado, Nombre, Apellidos, Correo electrónico, Usuario, Departamento, Puesto, Empresa",
    "Italian": "Matricola, Nome, Cognome, Indirizzo e-mail, Nome utente, Reparto, Qualifica, Azienda",
    "Portuguese": "Número de funcionário, Nome, Sobrenome, Endereço de e-mail, Nome de usuário, Departamento, Cargo, Empresa",
    "Dutch": "Personeelsnummer, Voornaam, Achternaam, E-mailadres, Gebruikersnaam, Afdeling, Functie, Bedrijf",
    "Norwegian": "Ansattnummer, Fornavn, Etternavn, E-post, Brukernavn, Avdeling, Stilling, Selskap",
    "Swedish": "Anställningsnummer, Förnamn, Efternamn, E-postadress, Användarnamn, Avdelning, Befattning, Företag",
    "Danish": "Medarbejdernummer, Fornavn, Efternavn, E-mail, Brugernavn, Afdeling, Stilling, Virksomhed",
    "Finnish": "Henkilönumero, Etunimi, Sukunimi, Sähköposti, Käyttäjätunnus, Osasto, Tehtävänimike, Yritys",
    "Polish": "Numer pracownika, Imię, Nazwisko, Adres e-mail, Nazwa użytkownika, Dział, Stanowisko, Firma",
    "Czech": "Osobní číslo, Jméno, Příjmení, E-mail, Uživatelské jméno, Oddělení, Pozice, Firma",
}
EIGHT = ["employee_id", "given_name", "surname", "email", "username", "department", "title", "company"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_of_many_languages_are_understood(language: str) -> None:
    headings = LANGUAGES[language].split(", ")
    assert suggest(headings) == dict(zip(headings, EIGHT, strict=True))


def test_our_own_headings_suggest_themselves() -> None:
    assert suggest(USER_ATTRIBUTES.values()) == {label: name for name, label in USER_ATTRIBUTES.items()}


def test_an_attribute_is_suggested_once_and_a_better_heading_wins() -> None:
    assert suggest(["E-mail", "Email Address", "Title"]) == {"Email Address": "email", "Title": "title"}


def test_a_tenants_own_attributes_are_suggested_by_their_labels() -> None:
    assert suggest(["Badge colour"], {"extra.badge": "Badge Colour"}) == {"Badge colour": "extra.badge"}


@given(headings=st.lists(st.text(max_size=40), max_size=12))
def test_whatever_the_headings_each_attribute_has_at_most_one(headings: list[str]) -> None:
    found = suggest(headings)
    assert len(set(found.values())) == len(found)
    assert set(found) <= set(headings)
