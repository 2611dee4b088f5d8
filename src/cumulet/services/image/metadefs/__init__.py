"""Metadata definitions: the vocabulary that clients offer for the properties of images, flavors and volumes.

A namespace holds objects, properties and tags, and is associated with the types of resource they are meant for. Only
administrators write here; who sees a namespace sees all that is in it.
"""
