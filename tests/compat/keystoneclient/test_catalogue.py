"""Services, endpoints and limits."""

from __future__ import annotations

from typing import Any

from tests.compat.keystoneclient.words import gone, name


def test_the_catalogue(admin: Any) -> None:
    region = admin.regions.create(id=name(), description="r")
    inner = admin.regions.create(id=name(), parent_region=region)
    assert admin.regions.update(region, description="s").description == "s"
    service = admin.services.create(name(), type="rooms", description="x")
    assert [one.id for one in admin.services.list(type="rooms")] == [service.id]
    assert admin.services.update(service, enabled=False).enabled is False
    endpoint = admin.endpoints.create(service, "http://192.0.2.1", interface="public", region=inner.id)
    assert [one.id for one in admin.endpoints.list(service=service, interface="public")] == [endpoint.id]
    assert admin.endpoints.update(endpoint, url="http://192.0.2.2").url == "http://192.0.2.2"

    project = admin.projects.create(name(), "default")
    chosen = admin.endpoint_filter
    chosen.add_endpoint_to_project(project, endpoint)
    chosen.check_endpoint_in_project(project, endpoint)
    assert [one.id for one in chosen.list_endpoints_for_project(project)] == [endpoint.id]
    assert [one.id for one in chosen.list_projects_for_endpoint(endpoint)] == [project.id]
    chosen.delete_endpoint_from_project(project, endpoint)
    group = admin.endpoint_groups.create(name(), {"interface": "public"}, description="all")
    admin.endpoint_groups.check(group)
    assert admin.endpoint_groups.update(group, description="more").description == "more"
    chosen.add_endpoint_group_to_project(group, project)
    chosen.check_endpoint_group_in_project(group, project)
    assert [one.id for one in chosen.list_endpoint_groups_for_project(project)] == [group.id]
    assert [one.id for one in chosen.list_projects_for_endpoint_group(group)] == [project.id]
    chosen.delete_endpoint_group_from_project(group, project)
    admin.endpoint_groups.delete(group)
    gone(admin.endpoint_groups.get, group)

    policy = admin.policies.create("{}", type="application/json")
    assert admin.policies.update(policy, blob='{"a": "b"}').blob == '{"a": "b"}'
    assert policy.id in {one.id for one in admin.policies.list()}
    tied = admin.endpoint_policy
    tied.create_policy_association_for_endpoint(policy, endpoint)
    tied.check_policy_association_for_endpoint(policy, endpoint)
    assert tied.get_policy_for_endpoint(endpoint).id == policy.id
    assert [one.id for one in tied.list_endpoints_for_policy(policy)] == [endpoint.id]
    tied.delete_policy_association_for_endpoint(policy, endpoint)
    tied.create_policy_association_for_service(policy, service)
    tied.delete_policy_association_for_service(policy, service)
    tied.create_policy_association_for_region_and_service(policy, inner, service)
    tied.check_policy_association_for_region_and_service(policy, inner, service)
    tied.delete_policy_association_for_region_and_service(policy, inner, service)
    admin.policies.delete(policy)
    gone(admin.policies.get, policy)
    for manager, made in (
        (admin.endpoints, endpoint),
        (admin.services, service),
        (admin.regions, inner),
        (admin.regions, region),
        (admin.projects, project),
    ):
        manager.delete(made)
        gone(manager.get, made)


def test_limits(admin: Any, user: Any) -> None:
    service = admin.services.create(name(), type="rooms")
    registered = admin.registered_limits.create(service, "beds", 2, description="b")
    assert [one.id for one in admin.registered_limits.list(service=service)] == [registered.id]
    assert admin.registered_limits.update(registered, default_limit=3).default_limit == 3
    limit = admin.limits.create(user.default_project_id, service, "beds", 5)
    assert limit.resource_limit == 5
    assert [one.id for one in admin.limits.list(service=service, resource_name="beds")] == [limit.id]
    assert admin.limits.update(limit, resource_limit=6).resource_limit == 6
    for manager, made in (
        (admin.limits, limit),
        (admin.registered_limits, registered),
        (admin.services, service),
    ):
        manager.delete(made)
        gone(manager.get, made)
