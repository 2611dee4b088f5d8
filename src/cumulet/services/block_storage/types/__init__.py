"""Volume types: what kinds of volumes this cloud offers, to whom, and with which promises."""
