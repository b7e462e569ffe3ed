"""From files to training batches: cases, splits, targets, the cache, sampling and augmentation."""
