"""Helpers of the pipeline in this repository; not part of the package."""
