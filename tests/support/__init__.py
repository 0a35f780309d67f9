"""What dev.py, the tests, the demo and the benchmark share."""
