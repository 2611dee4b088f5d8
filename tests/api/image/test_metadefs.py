"""Metadata definitions: a vocabulary made by an administrator and read by everybody who sees it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.client import Client
from tests.support.personas import ALT

pytestmark = pytest.mark.db

COLOUR = {"name": "colour", "title": "Colour", "type": "string", "enum": ["red", "blue"]}


@pytest.fixture
async def admin(image: Client) -> Client:
    client = image.as_("admin")
    await client.post("/metadefs/namespaces", {"namespace": "My::Space", "visibility": "public"})
    return client


SPACE = "/metadefs/namespaces/My::Space"


async def test_a_namespace_is_made_with_all_that_is_in_it(image: Client) -> None:
    admin = image.as_("admin")
    wish = {
        "namespace": "Whole",
        "display_name": "The whole",
        "visibility": "public",
        "protected": True,
        "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "hw:"}],
        "objects": [{"name": "cpu", "properties": {"cores": {"title": "Cores", "type": "integer", "minimum": 1}}}],
        "properties": {"colour": {"title": "Colour", "type": "string"}},
        "tags": [{"name": "new"}],
    }
    response = await admin("POST", "/metadefs/namespaces", wish)
    assert response.status_code == 201
    assert response.headers["location"].endswith("/v2/metadefs/namespaces/Whole")
    shown = await image.get("/metadefs/namespaces/Whole")
    assert (shown["display_name"], shown["schema"]) == ("The whole", "/v2/schemas/metadefs/namespace")
    assert shown["objects"][0]["properties"]["cores"]["minimum"] == 1
    assert shown["properties"]["colour"]["title"] == "Colour"
    assert shown["tags"] == [{"name": "new"}]
    for_flavors = await image.get("/metadefs/namespaces/Whole?resource_type=OS::Nova::Flavor")
    assert list(for_flavors["properties"]) == ["hw:colour"]
    await image.get("/metadefs/namespaces/Whole?resource_type=OS::Else", 404)
    [listed] = (await image.get("/metadefs/namespaces?resource_types=OS::Nova::Flavor,OS::X"))["namespaces"]
    assert listed["resource_type_associations"][0]["prefix"] == "hw:"
    assert (await image.get("/metadefs/namespaces?resource_types=OS::X"))["namespaces"] == []
    await admin.delete("/metadefs/namespaces/Whole", 403)
    await admin.delete("/metadefs/namespaces/Whole/tags", 403)
    changed = await admin.put("/metadefs/namespaces/Whole", {"namespace": "Part", "visibility": "private"})
    assert (changed["namespace"], changed["protected"]) == ("Part", False)
    await image.get("/metadefs/namespaces/Part", 404)
    await admin.delete("/metadefs/namespaces/Part")
    assert (await admin.get("/metadefs/namespaces"))["namespaces"] == []


async def test_names_are_taken_once_and_only_administrators_write(admin: Client) -> None:
    member = admin.as_("member")
    await admin.post("/metadefs/namespaces", {"namespace": "My::Space"}, 409)
    for method, path, body in (
        ("POST", "/metadefs/namespaces", {"namespace": "x"}),
        ("PUT", SPACE, {"namespace": "x"}),
        ("DELETE", SPACE, None),
        ("POST", f"{SPACE}/objects", {"name": "x"}),
        ("POST", f"{SPACE}/properties", COLOUR),
        ("POST", f"{SPACE}/tags/x", None),
        ("POST", f"{SPACE}/tags", {"tags": []}),
        ("POST", f"{SPACE}/resource_types", {"name": "x"}),
        ("DELETE", f"{SPACE}/objects", None),
        ("DELETE", f"{SPACE}/properties", None),
        ("DELETE", f"{SPACE}/tags", None),
    ):
        response = await member(method, path, body)
        assert response.status_code == 403, (method, path)
    await member.get(SPACE)


async def test_a_private_namespace_is_its_owners(admin: Client) -> None:
    await admin.post("/metadefs/namespaces", {"namespace": "Secret", "owner": ALT})
    await admin.as_("member").get("/metadefs/namespaces/Secret", 404)
    await admin.as_("member").get("/metadefs/namespaces/Secret/tags", 404)
    assert (await admin.as_("stranger").get("/metadefs/namespaces/Secret"))["visibility"] == "private"
    assert len((await admin.as_("stranger").get("/metadefs/namespaces"))["namespaces"]) == 2
    page = await admin.get("/metadefs/namespaces?limit=1&sort_key=namespace&sort_dir=asc")
    assert [shown["namespace"] for shown in page["namespaces"]] == ["My::Space"]
    assert "marker=My%3A%3ASpace" in page["next"]
    page = await admin.get(page["next"].removeprefix("/v2"))
    assert [shown["namespace"] for shown in page["namespaces"]] == ["Secret"]


async def test_the_life_of_an_object(admin: Client) -> None:
    made = await admin.post(f"{SPACE}/objects", {"name": "cpu", "properties": {"n": {"title": "N", "type": "integer"}}})
    assert (made["name"], made["required"]) == ("cpu", [])
    assert made["self"] == "/v2/metadefs/namespaces/My::Space/objects/cpu"
    await admin.post(f"{SPACE}/objects", {"name": "cpu"}, 409)
    changed = await admin.put(f"{SPACE}/objects/cpu", {"name": "core", "description": "d"})
    assert (changed["name"], changed["description"], changed["properties"]) == ("core", "d", {})
    await admin.get(f"{SPACE}/objects/cpu", 404)
    await admin.post(f"{SPACE}/objects", {"name": "disk"})
    page = await admin.as_("reader").get(f"{SPACE}/objects?limit=1")
    assert [shown["name"] for shown in page["objects"]] == ["core"]
    assert [s["name"] for s in (await admin.get(page["next"].removeprefix("/v2")))["objects"]] == ["disk"]
    await admin.delete(f"{SPACE}/objects/core")
    await admin.delete(f"{SPACE}/objects/core", 404)
    await admin.delete(f"{SPACE}/objects")
    assert (await admin.get(f"{SPACE}/objects"))["objects"] == []


async def test_the_life_of_a_property(admin: Client) -> None:
    assert await admin.post(f"{SPACE}/properties", COLOUR) == COLOUR
    await admin.post(f"{SPACE}/properties", COLOUR, 409)
    assert await admin.get(f"{SPACE}/properties/colour") == COLOUR
    await admin.post(f"{SPACE}/resource_types", {"name": "OS::Glance::Image", "prefix": "img_"})
    named = await admin.get(f"{SPACE}/properties/img_colour?resource_type=OS::Glance::Image")
    assert named["name"] == "img_colour"
    changed = await admin.put(f"{SPACE}/properties/colour", {"name": "shade", "title": "Shade", "type": "string"})
    assert changed == {"name": "shade", "title": "Shade", "type": "string"}
    assert list((await admin.get(f"{SPACE}/properties"))["properties"]) == ["shade"]
    await admin.delete(f"{SPACE}/properties/shade")
    await admin.get(f"{SPACE}/properties/shade", 404)


async def test_the_life_of_tags(admin: Client) -> None:
    assert (await admin.post(f"{SPACE}/tags/one"))["name"] == "one"
    await admin.post(f"{SPACE}/tags/one", status=409)
    await admin.post(f"{SPACE}/tags", {"tags": [{"name": "a"}, {"name": "b"}]})
    assert (await admin.get(f"{SPACE}/tags"))["tags"] == [{"name": "a"}, {"name": "b"}]
    await admin.post(f"{SPACE}/tags", {"tags": [{"name": "c"}]}, headers={"x-openstack-append": "true"})
    await admin.post(f"{SPACE}/tags", {"tags": [{"name": "d"}, {"name": "d"}]}, 409)
    assert (await admin.put(f"{SPACE}/tags/a", {"name": "z"}))["name"] == "z"
    await admin.get(f"{SPACE}/tags/a", 404)
    assert [tag["name"] for tag in (await admin.get(f"{SPACE}/tags?sort_dir=desc"))["tags"]] == ["z", "c", "b"]
    await admin.delete(f"{SPACE}/tags/z")
    await admin.delete(f"{SPACE}/tags")
    assert (await admin.get(f"{SPACE}/tags"))["tags"] == []


async def test_types_of_resource(admin: Client) -> None:
    known = [shown["name"] for shown in (await admin.as_("member").get("/metadefs/resource_types"))["resource_types"]]
    assert "OS::Glance::Image" in known
    made = await admin.post(f"{SPACE}/resource_types", {"name": "My::Thing"})
    assert made["name"] == "My::Thing"
    await admin.post(f"{SPACE}/resource_types", {"name": "My::Thing"}, 409)
    known = [shown["name"] for shown in (await admin.get("/metadefs/resource_types"))["resource_types"]]
    assert known[-1] == "My::Thing"
    [found] = (await admin.as_("reader").get(f"{SPACE}/resource_types"))["resource_type_associations"]
    assert found["name"] == "My::Thing"
    await admin.delete(f"{SPACE}/resource_types/My::Thing")
    await admin.delete(f"{SPACE}/resource_types/My::Thing", 404)


@pytest.mark.parametrize(
    ("path", "wish"),
    [
        ("/metadefs/namespaces", {}),
        ("/metadefs/namespaces", {"namespace": "x" * 81}),
        ("/metadefs/namespaces", {"namespace": "x", "visibility": "shared"}),
        ("/metadefs/namespaces", {"namespace": "x", "objects": [{"colour": 1}]}),
        ("/metadefs/namespaces", {"namespace": "x", "properties": {"p": {"type": "string"}}}),
        ("/metadefs/namespaces", {"namespace": "x", "tags": [{"name": "\u0000"}]}),
        (f"{SPACE}/objects", {"name": "x", "properties": {"p": {"title": "P", "type": "colour"}}}),
        (f"{SPACE}/objects", {"name": 5}),
        (f"{SPACE}/properties", {"name": "x", "title": "X"}),
        (f"{SPACE}/properties", {"title": "X", "type": "string"}),
        (f"{SPACE}/properties", {"name": "x", "title": "X", "type": "string", "minLength": -1}),
        (f"{SPACE}/properties", {"name": "x", "title": "X", "type": "string", "unheard": 1}),
        (f"{SPACE}/properties", ["x"]),
        (f"{SPACE}/tags", {"tags": [{"name": ""}]}),
        (f"{SPACE}/tags/{'x' * 81}", None),
        (f"{SPACE}/resource_types", {"name": ""}),
    ],
)
async def test_malformed_definitions_are_refused(admin: Client, path: str, wish: Any) -> None:
    await admin.post(path, wish, 400)


@pytest.mark.parametrize("query", ["limit=x", "marker=absent", "sort_dir=up", "sort_key=colour"])
async def test_questions_that_make_no_sense(admin: Client, query: str) -> None:
    await admin.get(f"{SPACE}/tags?{query}", 400)
