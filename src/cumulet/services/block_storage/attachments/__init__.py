"""Attachments: who holds a volume, or is about to."""
