"""The databases that models are built in, one package each."""
