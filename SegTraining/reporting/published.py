"""The results that the documents behind this project have published. Dice coefficients; per cent where it says so."""

THESIS = "Utegulov 2020, Analysis of medical images using deep learning, master's thesis, Koblenz"
SCINTIGRAPHY = "Gjertsson 2017, Segmentation in Skeletal Scintigraphy Images using CNNs, master's thesis, Lund"
XRAY = "Kovalev 2016, Experimenting with Deep Neural Networks for X-Ray Image Segmentation"
POSTER = "Olander, Sourkouhi and Papanikolaou, poster P28, DTU Compute"

PLANES = ("sagittal", "coronal", "axial")

GRID: dict[tuple[str, str, bool], tuple[int, int, int]] = {
    # (architecture, weights at the start, bias field corrected): sagittal, coronal, axial, in per cent
    ("U-Net", "Random", True): (75, 77, 74),
    ("U-Net", "Random", False): (84, 76, 74),
    ("U-Net", "ResNet-50", True): (87, 79, 77),
    ("U-Net", "ResNet-50", False): (84, 77, 77),
    ("U-Net", "Inception-v4", True): (79, 81, 79),
    ("U-Net", "Inception-v4", False): (80, 75, 79),
    ("FPN", "Random", True): (83, 71, 70),
    ("FPN", "Random", False): (83, 70, 71),
    ("FPN", "ResNet-50", True): (86, 84, 78),
    ("FPN", "ResNet-50", False): (80, 75, 80),
    ("FPN", "Inception-v4", True): (79, 88, 74),
    ("FPN", "Inception-v4", False): (79, 83, 73),
    ("Linknet", "Random", True): (83, 75, 74),
    ("Linknet", "Random", False): (84, 77, 79),
    ("Linknet", "ResNet-50", True): (86, 86, 73),
    ("Linknet", "ResNet-50", False): (86, 80, 73),
    ("Linknet", "Inception-v4", True): (76, 83, 73),
    ("Linknet", "Inception-v4", False): (82, 78, 78),
    ("PSPNet", "Random", True): (79, 74, 72),
    ("PSPNet", "Random", False): (82, 77, 74),
    ("PSPNet", "ResNet-50", True): (80, 78, 72),
    ("PSPNet", "ResNet-50", False): (74, 76, 72),
    ("PSPNet", "Inception-v4", True): (78, 82, 75),
    ("PSPNet", "Inception-v4", False): (74, 78, 77),
}
"""Table 4.3 of the thesis."""

BY_PLANE = {"sagittal": "81 ± 3.8", "coronal": "78 ± 4.4", "axial": "75 ± 2.9"}
"""Table 4.4, per cent: mean and standard deviation over the grid."""

BY_CORRECTION = {
    "raw": {"sagittal": "81 ± 3.8", "coronal": "77 ± 3.1", "axial": "76 ± 3.1"},
    "corrected": {"sagittal": "81 ± 4.0", "coronal": "80 ± 5.1", "axial": "74 ± 2.6"},
}
"""Table 4.5, per cent."""

CUSTOM = {"v3-small32": 58, "v3-small64": 64, "v3-large32": 59, "v3-large64": 61}
"""Table 4.6, per cent: custom networks, sagittal, raw."""

BY_START = {
    "Random": {"sagittal": "82 ± 3.1", "coronal": "75 ± 2.8", "axial": "74 ± 2.7"},
    "Transfer learning": {"sagittal": "81 ± 4.2", "coronal": "80 ± 3.9", "axial": "76 ± 2.8"},
}
"""Table 4.7, per cent."""

BY_ENCODER = {
    "ResNet-50": {"sagittal": "83 ± 4.5", "coronal": "79 ± 3.9", "axial": "75 ± 3.1"},
    "Inception-v4": {"sagittal": "78 ± 2.4", "coronal": "81 ± 4.0", "axial": "76 ± 2.6"},
}
"""Table 4.8, per cent."""

SKELETON: dict[str, tuple[str, float, float, float, float]] = {
    # network: family, validation loss, training, validation and test Dice
    "DLN-11": ("dln11", 0.1672, 0.8661, 0.8466, 0.8212),
    "FDN-5": ("fdn5", 0.3026, 0.7421, 0.7417, 0.5572),
    "FDN-11": ("fdn11", 0.0566, 0.9472, 0.9459, 0.9219),
    "FDN-11e": ("fdn11e", 0.0520, 0.9523, 0.9528, 0.6039),
    "FDN-11be": ("fdn11be", 0.0559, 0.9648, 0.9501, 0.9220),
    "FDN-13": ("fdn13", 0.0490, 0.9570, 0.9526, 0.9341),
    "FDN-16": ("fdn16", 0.0466, 0.9682, 0.9546, 0.9105),
    "FDN-16e": ("fdn16e", 0.0438, 0.9842, 0.9572, 0.9286),
    "FDN-16be": ("fdn16be", 0.0533, 0.9938, 0.9481, 0.9203),
    "U-Net": ("poster-unet", 0.0933, 0.9523, 0.9110, 0.8591),
    "URI-Net": ("urinet", 0.0516, 0.9881, 0.9498, 0.8289),
}
"""The quantitative results of the scintigraphy poster."""

LUNGS = {"mean": 0.962, "min": 0.926, "max": 0.974, "sd": 0.008}
"""Test Dice of the SegNet-type network on chest radiographs."""

ROBUSTNESS: dict[str, float] = {
    "baseline": 99.105,
    "noise-both": 99.08,
    "noise-validation": 66.48,
    "size-5": 98.667,
}
"""Validation Dice in per cent of the poster's experiments; of the third the best before it fell to 63.65."""
