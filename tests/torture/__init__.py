"""What may befall a run, tried over and over: short in the suite, long with `make torture`."""
