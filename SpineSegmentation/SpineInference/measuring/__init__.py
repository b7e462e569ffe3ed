"""What is measured of a result, and its agreement with a reference."""
