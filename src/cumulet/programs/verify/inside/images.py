"""The images that tests boot, and which talents the image service has."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import formats  # type: ignore[import-not-found]  # both lie beside this file, which runs outside the package
from preparation import Preparation  # type: ignore[import-not-found]

GUEST_LOGIN = {"image_ssh_user": "cirros", "image_ssh_password": "gocubsgo"}
IMAGE, OTHER_IMAGE = "verify-image", "verify-image-alt"
FORMATS_FOR_NOISE = ("ova", "raw")
IMAGE_LIMITS = ("image_size_total", "image_stage_total", "image_count_total", "image_count_uploading")


def prepare(preparation: Preparation) -> None:
    image = preparation.cloud.image
    with tempfile.TemporaryDirectory() as folder:
        file, disk_format = _file(preparation, Path(folder))
        ids = [_ensure(preparation, name, file, disk_format).id for name in (IMAGE, OTHER_IMAGE)]
    preparation.put("compute", image_ref=ids[0], image_ref_alt=ids[1])
    preparation.put("heat_plugin", image_ref=ids[0], minimal_image_ref=ids[0])
    preparation.put("scenario", img_disk_format=disk_format)
    preparation.put("image-feature-enabled", api_v2=True)
    _features(preparation, ids[0])
    properties = image.get("/schemas/image").json().get("properties", {})
    for name in ("disk_format", "container_format"):
        known = [value for value in properties.get(name, {}).get("enum", []) if value]
        # Tests that put noise into images take the first ones: no cloud looks for a disk in an archive.
        known.sort(key=lambda value: value not in FORMATS_FOR_NOISE)
        preparation.put("image", **{f"{name}s": ",".join(known)})
    preparation.register_limits("glance", IMAGE_LIMITS)


def _features(preparation: Preparation, image_id: str) -> None:
    """Which talents of the service are switched on."""
    image = preparation.cloud.image
    stores = image.get("/info/stores/detail").json().get("stores", [])
    preparation.put(
        "image-feature-enabled",
        manage_locations="locations" in image.get(f"/images/{image_id}").json(),
        http_store_enabled=any(store.get("type") == "http" for store in stores),
        store_weight_enabled=len({store.get("weight", 0) for store in stores}) > 1,
    )
    preparation.put("image", images_manifest_file=formats.write(Path(preparation.options.workspace) / "formats"))
    preparation.put("image", image_caching_enabled=image.get("/cache").status_code == 200)


def _file(preparation: Preparation, folder: Path) -> tuple[Path, str]:
    """The image that was given, or else a copy of the smallest that everybody may boot."""
    if preparation.options.image:
        file = Path(preparation.options.image)
        with file.open("rb") as opened:
            return file, "qcow2" if opened.read(4) == b"QFI\xfb" else "raw"
    public = [found for found in preparation.cloud.image.images(visibility="public", status="active") if found.size]
    if not public:
        raise LookupError("the cloud has no public image; name one with --image")
    smallest = min(public, key=lambda found: found.size)
    preparation.cloud.image.download_image(smallest, output=str(folder / "image"), stream=True)
    return folder / "image", smallest.disk_format


def _ensure(preparation: Preparation, name: str, file: Path, disk_format: str) -> Any:
    # Whether a guest runs QEMU's agent, nobody finds out from outside.
    agent = preparation.given.getboolean("compute-feature-enabled", "change_password", fallback=False)
    properties = {"hw_qemu_guest_agent": "yes", "os_admin_user": GUEST_LOGIN["image_ssh_user"]} if agent else {}
    found = preparation.cloud.image.find_image(name)
    if found is not None and found.status == "active":
        return preparation.cloud.image.update_image(found, **properties) if properties else found
    return preparation.cloud.image.create_image(
        name,
        filename=str(file),
        disk_format=disk_format,
        container_format="bare",
        visibility="public",
        wait=True,
        allow_duplicates=True,
        validate_checksum=False,
        **properties,
    )
