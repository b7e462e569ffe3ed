"""From a prepared volume to class probabilities: region, slices, fusion of planes, back to the scan."""
