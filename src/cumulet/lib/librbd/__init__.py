"""The calls of librados and librbd that stores of images and of volumes need, with errors that have names.

They are called through ctypes, which lets other threads run meanwhile; so one program works with any Python and needs
nothing but Debian's librbd1.
"""

from cumulet.lib.librbd.calls import Busy, Exists, Full, Missing, Unreachable
from cumulet.lib.librbd.pool import Pool
from cumulet.lib.librbd.volume import Volume

__all__ = ["Busy", "Exists", "Full", "Missing", "Pool", "Unreachable", "Volume"]
