"""The cloud operating system in one small program."""
