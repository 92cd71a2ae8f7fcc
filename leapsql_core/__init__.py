"""LeapSQL: SQL models that build exactly what changed."""
