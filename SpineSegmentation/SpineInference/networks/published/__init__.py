"""Networks of the literature that only the seed experiments train: a package made from one stays loadable."""
