"""Tenuto keeps an audio enhancement pipeline sounding when something fails."""
