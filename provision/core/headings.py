"""What a column of somebody's file most likely holds, judged by its heading alone.

Owns the words; takes nothing over by itself: a person sees and changes what is suggested.
"""

import functools
import re
from collections.abc import Iterable, Mapping

from provision.core.transliteration import to_ascii
from provision.core.vocabulary import USER_ATTRIBUTES, key

_WORDS: Mapping[str, str] = {
    "employee_id": "employee id, employee number, employee no, emp id, staff id, staff number, personnel number, payroll id, "
    "worker id, person id, personalnummer, mitarbeiternummer, personal nr, matricule, numero empleado, ansattnummer, "
    "medewerkernummer, personeelsnummer, employeeid, employeenumber, numero de empleado, matricola, numero de funcionario, "
    "anstallningsnummer, medarbejdernummer, henkilonumero, numer pracownika, osobni cislo, id",
    "given_name": "first name, given name, forename, firstname, givenname, vorname, prenom, nombre, voornaam, fornavn, "
    "fornamn, imie, nome, etunimi, jmeno, primeiro nome, nome proprio",
    "surname": "last name, surname, family name, lastname, familyname, nachname, familienname, nom, nom de famille, "
    "apellido, apellidos, achternaam, etternavn, efternavn, efternamn, nazwisko, cognome, sukunimi, prijmeni, sobrenome, "
    "apelido, sn",
    "email": "email address, email, e mail, mail, e mail address, work email, business email, upn, user principal name, "
    "userprincipalname, sign in name, email adresse, emailadresse, adresse email, courriel, correo, correo electronico, "
    "e mail adresse, epost, e post, sahkoposti, primary email, adresse e mail, indirizzo e mail, endereco de e mail, "
    "e mailadres, emailadres, e postadress, epostadress, adres e mail",
    "username": "username, user name, user, login, login name, logon name, account, account name, samaccountname, uid, "
    "benutzername, identifiant, usuario, gebruikersnaam, brukernavn, brugernavn, anvandarnamn, kayttajatunnus, nome utente, "
    "nome de usuario, nazwa uzytkownika, uzivatelske jmeno, mailnickname, alias, nickname",
    "display_name": "display name, full name, name, displayname, fullname, anzeigename, nom complet, nombre completo, "
    "volledige naam, visningsnavn, cn, common name",
    "private_email": "private email, personal email, home email, private e mail, alternative email, other email, "
    "private emailadresse, email prive, prive email",
    "department": "department, dept, division, team, unit, abteilung, departement, departamento, afdeling, avdeling, "
    "avdelning, osasto, reparto, dzial, oddeleni, organisational unit, organizational unit",
    "title": "job title, title, position, function, jobtitle, stelle, funktion, poste, fonction, puesto, cargo, functie, "
    "stilling, befattning, qualifica, tehtavanimike, stanowisko, pozice",
    "company": "company, company name, organisation, organization, employer, firma, societe, entreprise, empresa, "
    "bedrijf, selskap, virksomhed, foretag, yritys, azienda, companyname",
    "usage_location": "usage location, country, country code, usagelocation, land, landercode, pays, pais, country region, c",
    "preferred_language": "preferred language, language, locale, lang, sprache, langue, idioma, taal, sprak",
    "mobile": "mobile phone, mobile, mobile number, cell phone, cellphone, mobilephone, mobiltelefon, handy, portable, "
    "movil, mobiel, mobil, phone",
}
_KNOWN = {word.strip(): ours for ours, words in _WORDS.items() for word in words.split(",")}
KEYS = ("employee_id", "email", "username")
"""Our attributes by which a row may name a person for good, the best first."""


@functools.lru_cache(maxsize=4096)
def means(heading: str) -> str | None:
    """The attribute of ours that a heading names; None when nothing tells."""
    plain = re.sub(r"[^0-9a-z]+", " ", to_ascii(key(heading)).lower()).strip()
    return _KNOWN.get(plain)


def suggest(headings: Iterable[str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Heading → attribute of ours, each attribute at most once: the first heading that names it has it.

    ``own``: the tenant's own attributes, ``extra.<name>`` → label.
    """
    labels = {key(label): name for name, label in {**USER_ATTRIBUTES, **(own or {})}.items()}
    labels |= {key(name): name for name in (*USER_ATTRIBUTES, *(own or {}))}
    found: dict[str, str] = {}
    names = list(headings)
    for ask in (lambda heading: labels.get(key(heading)), means):  # what is called as we call it comes first
        for heading in names:
            ours = ask(heading)
            if ours and heading not in found and ours not in found.values():
                found[heading] = ours
    return {heading: found[heading] for heading in names if heading in found}
