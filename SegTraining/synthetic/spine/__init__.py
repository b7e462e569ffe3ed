"""The synthetic spine: MR and CT volumes with exact anatomy."""
