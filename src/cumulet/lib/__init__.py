"""Small tools that do not know this is a cloud."""
