"""The default rules of the image service, under the names and with the texts that its policy files use.

`project_id` is the owner of the image, `member_id` the project with which it is shared.
"""

from __future__ import annotations

IMAGE_READER = (
    "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s"
    " or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))"
)
IMAGE_DOWNLOADER = (
    "rule:context_is_admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s"
    " or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))"
)
PROJECT_MEMBER = "rule:context_is_admin or (role:member and project_id:%(project_id)s)"
METADEF_READER = "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"

DEFAULTS: dict[str, str] = {
    # what other rules ask
    "context_is_admin": "role:admin",
    "default": "",
    "service_api": "role:service or role:admin",
    # cache
    "cache_clean": "rule:context_is_admin",
    "cache_delete": "rule:context_is_admin",
    "cache_image": "rule:context_is_admin",
    "cache_list": "rule:context_is_admin",
    "cache_prune": "rule:context_is_admin",
    # discovery
    "stores_info_detail": "rule:context_is_admin or rule:service_api",
    # image
    "add_image": "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    "add_image_location": "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
    "add_member": PROJECT_MEMBER,
    "communitize_image": PROJECT_MEMBER,
    "copy_image": "rule:context_is_admin",
    "deactivate": PROJECT_MEMBER,
    "delete_image": PROJECT_MEMBER,
    "delete_image_location": "rule:context_is_admin",
    "delete_member": PROJECT_MEMBER,
    "download_from_store": IMAGE_DOWNLOADER,
    "download_image": IMAGE_DOWNLOADER,
    "fetch_image_location": "rule:service_api",
    "get_image": IMAGE_READER,
    "get_image_location": "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
    "get_images": "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
    "get_member": "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)",
    "get_members": "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)",
    "list_cached_nodes": "rule:context_is_admin",
    "manage_image_cache": "rule:context_is_admin",
    "modify_image": PROJECT_MEMBER,
    "modify_member": "rule:context_is_admin or (role:member and project_id:%(member_id)s)",
    "publicize_image": "rule:context_is_admin",
    "reactivate": PROJECT_MEMBER,
    "set_image_location": PROJECT_MEMBER,
    "upload_image": PROJECT_MEMBER,
    # metadata definitions
    "add_metadef_namespace": "rule:metadef_admin",
    "add_metadef_object": "rule:metadef_admin",
    "add_metadef_property": "rule:metadef_admin",
    "add_metadef_resource_type_association": "rule:metadef_admin",
    "add_metadef_tag": "rule:metadef_admin",
    "add_metadef_tags": "rule:metadef_admin",
    "delete_metadef_namespace": "rule:metadef_admin",
    "delete_metadef_object": "rule:metadef_admin",
    "delete_metadef_tag": "rule:metadef_admin",
    "delete_metadef_tags": "rule:metadef_admin",
    "get_metadef_namespace": METADEF_READER,
    "get_metadef_namespaces": "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
    "get_metadef_object": METADEF_READER,
    "get_metadef_objects": METADEF_READER,
    "get_metadef_properties": METADEF_READER,
    "get_metadef_property": METADEF_READER,
    "get_metadef_resource_type": METADEF_READER,
    "get_metadef_tag": METADEF_READER,
    "get_metadef_tags": METADEF_READER,
    "list_metadef_resource_types": METADEF_READER,
    "metadef_admin": "rule:context_is_admin",
    "metadef_default": "",
    "modify_metadef_namespace": "rule:metadef_admin",
    "modify_metadef_object": "rule:metadef_admin",
    "modify_metadef_property": "rule:metadef_admin",
    "modify_metadef_tag": "rule:metadef_admin",
    "remove_metadef_property": "rule:metadef_admin",
    "remove_metadef_resource_type_association": "rule:metadef_admin",
    # tasks
    "add_task": "rule:default",
    "get_task": "rule:default",
    "get_tasks": "rule:default",
    "modify_task": "rule:default",
    "tasks_api_access": "rule:context_is_admin",
}
