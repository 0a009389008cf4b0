"""How every input of an output folder ended, on disk."""
