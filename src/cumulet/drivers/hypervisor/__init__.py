"""Machines: `fake` for simulation, `qemu` for real."""
