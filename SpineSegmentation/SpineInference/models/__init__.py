"""Model packages and their catalog: what a model says of itself, checked before anything is used."""
