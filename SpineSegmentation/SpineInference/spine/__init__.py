"""From a mask to vertebrae: told apart, ordered, named, and how sure that is."""
