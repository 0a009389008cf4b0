"""What the policies cost, beside those of other libraries, in one run."""
