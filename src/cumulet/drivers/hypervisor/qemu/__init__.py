"""Real machines: one QEMU process each, which goes on running when ours ends.

`driver` is the door. `steps` decides what to do next and `machine` does it; `command` and `devices` are the language of
QEMU, `monitor` speaks it to a running one; `journal` remembers on disk what was begun; `disks`, `config_drive` and
`taps` make what a machine stands on; `probe` finds out what this host can really do.
"""
