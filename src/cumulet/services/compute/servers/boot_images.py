"""Images that servers start from: whether one may be used, and fits."""

from __future__ import annotations

import msgspec

from cumulet.core.errors import CloudError
from cumulet.core.web.call import Call
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.promises import unkept_by_image
from cumulet.services.image.public import ImageView


async def image_for(room: Compute, call: Call, image_id: str) -> ImageView:
    """An image that the caller may start from."""
    try:
        image = await room.images.get(call.caller, image_id)
    except CloudError as error:
        if error.status >= 500:
            raise
        raise InvalidServer(f"Image {image_id[:255]} could not be found.") from error
    if image.status != "active":
        raise InvalidServer(f"Image {image_id} is not active.")
    return image


async def image_text(room: Compute, image_id: str) -> str:
    """The bytes of an image as nodes fetch them."""
    found = await room.images.ref(image_id)
    if found is None:
        raise InvalidServer(f"Image {image_id} is not active.")
    return msgspec.json.encode(found).decode()


def fits(image: ImageView, flavor: Flavor, *, root_is_volume: bool = False) -> None:
    """Raises InvalidServer when the flavor is too small for the image, or no machine is what the image asks for."""
    if image.min_ram > flavor.ram:
        raise InvalidServer("Flavor's memory is too small for requested image.")
    unkept = unkept_by_image(image.properties)
    if unkept:
        raise InvalidServer(f"Image {image.id} asks for what this cloud does not have: {unkept}.")
    if root_is_volume or not flavor.disk:
        return
    if image.min_disk > flavor.disk:
        raise InvalidServer(
            f"Flavor's disk is too small for requested image. Flavor disk is {flavor.disk << 30} bytes, image is "
            f"{image.min_disk << 30} bytes at least."
        )
    if (image.size or 0) > flavor.disk << 30:
        raise InvalidServer(
            f"Flavor's disk is too small for requested image. Flavor disk is {flavor.disk << 30} bytes, image is "
            f"{image.size} bytes."
        )


def kept_properties(image: ImageView) -> dict[str, str]:
    """What a server keeps of its image: its properties and what its size demands."""
    found = {name: str(value) for name, value in image.properties.items() if len(name) <= 255 and value is not None}
    found |= {"min_disk": str(image.min_disk), "min_ram": str(image.min_ram)}
    for name in ("disk_format", "container_format"):
        value = getattr(image, name)
        if value:
            found[name] = value
    return found
