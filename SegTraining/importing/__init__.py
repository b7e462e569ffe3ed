"""Networks trained elsewhere become model packages: nnU-Net's results, and state dicts with a description."""
