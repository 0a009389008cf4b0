"""What other libraries get wrong: that ours does not, and, where they are installed, that they do.

One regression test for each hazard, named after it; beside it the peer's failure, in the version
that is installed. The day one of those tests fails, the peer has learned better: say so in
docs/why-another-breaker.md.
"""
