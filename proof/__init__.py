"""Proof that the tests would notice: what is changed in the code has to make one fail."""
