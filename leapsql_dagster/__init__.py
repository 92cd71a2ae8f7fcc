"""LeapSQL in Dagster."""
