"""Bytes of images: `files` in a folder, `s3` and `swift` over a network, `memory` in simulation; `web` only reads."""
