"""Results in the scene: tables, segments, measures, points, charts and views that belong together."""
