"""Many runs: one task each, carried out on this computer or over a Ray cluster."""
