"""The names of what the truth of the spine phantom tells apart."""

from enum import IntEnum


class Structure(IntEnum):
    """What a voxel is. The bodies and wings below S1 are SACRUM; FLUID is that of the dural sac around the CORD."""

    BODY = 1
    ARCH = 2
    DISC = 3
    FLUID = 4
    CORD = 5
    SACRUM = 6
