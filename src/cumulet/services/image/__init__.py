"""Image: what machines and volumes are made from.

An image is a row and, once uploaded, bytes in one or more stores; or it lies on a web server and is only read. Its
nouns: images with their members and tags, tasks (imports that run after the answer), and metadata definitions (the
vocabulary that dashboards offer for properties).

Promises. Bytes are hashed and inspected while they stream past; what is not the format it claims, or could make its
reader open other files, never becomes active. Each attempt to upload writes under a name of its own, written in the row
before the first byte, so that an attempt killed at any instant leaves nothing that the reconcilers do not find: the
image returns to `queued`, and bytes that no row names are removed.

Oddities of the API, kept at its edge: bodies are flat and keep unknown fields as properties, changes are JSON patches
in two dialects, faults are pages of HTML, and an image without data answers a download with 204.
"""
