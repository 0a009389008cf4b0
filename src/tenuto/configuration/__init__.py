"""What operations say about the policies: a file, and the environment.

Code says what is sensible, the file what holds where the program runs, the environment what holds
for one start of it. Each outranks the one before, so that whoever runs the program can change it
without a release.
"""

from .live import Protections, Reloaded
from .protecting import Protection, Surroundings
from .reading import Configuration, read_configuration

__all__ = [
    "Configuration",
    "Protection",
    "Protections",
    "Reloaded",
    "Surroundings",
    "read_configuration",
]
