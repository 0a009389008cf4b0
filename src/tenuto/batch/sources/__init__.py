"""What a run is to work on: paths, folders, patterns, manifests and lists."""
