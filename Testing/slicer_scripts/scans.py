"""Scans that the scripts make themselves."""

import numpy as np
import slicer


def add_scan(name: str = "Synthetic"):
    """Five bodies with discs between them and the canal behind them, 130 x 50 x 40 voxels of 1 mm; the third is dim.

    Made for the model that goes by brightness.
    """
    down, back, left = np.ogrid[:130, :50, :40]
    column = (np.hypot(back - 16, left - 20) < 12) & (down >= 0)
    canal = (np.hypot(back - 36, left - 20) < 5) & (down >= 0)
    body = column & (down % 26 >= 6)
    array = np.select([body & (down // 26 == 2), body, column, canal], [470, 600, 200, 360], 0)
    array = array + np.random.default_rng(0).normal(0, 5, array.shape)
    matrix = np.array([[-1, 0, 0, 20], [0, -1, 0, 25], [0, 0, -1, 65], [0, 0, 0, 1]], float)
    return slicer.util.addVolumeFromArray(array.astype(np.int16), ijkToRAS=matrix, name=name)
