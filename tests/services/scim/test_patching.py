"""Many members who come and leave one by one, taken together: the same as one after the other."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from scim2_models import Context, PatchOp

from provision.core import dialects
from provision.services import scim
from tests.web.scim import GROUP, PATCH

SERVED = scim.served()
TYPE = next(kind for kind in SERVED.resource_types if kind.name == "Group")
MODEL: Any = SERVED.model_for(TYPE)

NAMES = st.sampled_from(["1", "2", "3", "07", "x y", 'q"', "back\\slash", "e\u0301", "\u00e9"])
PATHS = st.sampled_from(["members", "Members", f"{GROUP}:members"])


def leaves(path: str, name: str) -> dict[str, Any]:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return {"op": "remove", "path": f'{path}[value eq "{escaped}"]'}


def moves(op: str, path: str, names: list[str]) -> dict[str, Any]:
    return {"op": op, "path": path, "value": [{"value": name} for name in names]}


FEW = st.lists(NAMES, max_size=3)
OPERATIONS = st.one_of(
    st.builds(leaves, PATHS, NAMES),
    st.builds(moves, st.just("add"), PATHS, FEW),
    st.builds(moves, st.sampled_from(["remove", "replace"]), st.just("members"), FEW),
    st.just({"op": "remove", "path": "members"}),
    st.builds(lambda name: {"op": "replace", "path": "displayName", "value": name}, NAMES),
)


@settings(deadline=None, max_examples=50)
@example([], [moves("add", "members", ["e\u0301"]), moves("add", "members", ["\u00e9"])])
@example(["1"], [moves("add", "members", ["e\u0301", "\u00e9"]), leaves("members", "\u00e9")])
@example(["1"], [moves("add", "members", []), moves("add", "members", ["1"])])
@given(st.lists(NAMES, max_size=5, unique=True), st.lists(OPERATIONS, min_size=1, max_size=8))
def test_it_comes_to_what_the_library_makes_of_it(inside: list[str], operations: list[Any]) -> None:
    with SERVED:
        body = {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": name} for name in inside]}
        ours, theirs = MODEL.model_validate(body), MODEL.model_validate(body)
        asked = PatchOp[MODEL].model_validate(  # type: ignore[valid-type]
            dialects.patch({"schemas": [PATCH], "Operations": operations}), scim_ctx=Context.RESOURCE_PATCH_REQUEST
        )
        assert scim.apply_patch(ours, asked) == asked.patch(theirs)
        assert {one.value for one in ours.members or []} == {one.value for one in theirs.members or []}
        assert ours.display_name == theirs.display_name
