"""Who lives in the sandbox."""

import re

from provision.sandbox.people import cast, latin

UPN = re.compile(r"[A-Za-z0-9'.\-_!#^~]{1,64}@[a-z.]{1,48}")


def test_the_same_seed_gives_the_same_people() -> None:
    assert list(cast(80, seed=7)) == list(cast(80, seed=7))


def test_another_seed_gives_other_people() -> None:
    assert {person.id for person in cast(80, seed=7)}.isdisjoint(person.id for person in cast(80, seed=8))


def test_a_larger_cast_begins_with_the_smaller_one() -> None:
    assert list(cast(500, seed=1))[:60] == list(cast(60, seed=1))


def test_sign_in_names_are_legal_and_taken_once() -> None:
    names = [person.body["userPrincipalName"] for person in cast(5_000, seed=1)]
    assert all(UPN.fullmatch(name) for name in names)
    assert len({name.casefold() for name in names}) == len(names)


def test_twenty_people_are_enough_for_one_of_each_kind() -> None:
    kinds = {person.kind for person in cast(20, seed=1)}
    assert {"breakglass", "user_admin", "guest", "synced", "federated", "disabled", "mailbox", "room", "bare"} <= kinds


def test_names_come_in_many_scripts() -> None:
    letters = "".join(person.body["displayName"] for person in cast(400, seed=1))
    for script in ("[а-яё]", "[ا-ي]", "[अ-ह]", "[一-鿿]", "[가-힣]", "[ễạ]", "[Þð]", "'"):
        assert re.search(script, letters), script


def test_nobody_has_a_fifteenth_extension_attribute() -> None:
    assert not any("onPremisesExtensionAttributes" in person.body for person in cast(400, seed=1))


def test_some_values_are_missing() -> None:
    people = [person.body for person in cast(400, seed=1) if person.kind == "member"]
    for name in ("employeeId", "mobilePhone", "officeLocation"):
        assert 0 < sum(name in body for body in people) < len(people)


def test_letters_unicode_does_not_take_apart_are_spelled_too() -> None:
    assert latin("Þórunn Ødegård-Süßmilch, Łukasz Đặng Kıvanç") == "Thorunn Odegard-Sussmilch, Lukasz Dang Kivanc"
