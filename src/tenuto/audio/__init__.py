"""One noisy recording in, one enhanced recording and one honest outcome out."""
