"""``enhance_all``: recordings in, enhanced recordings and ``outcomes.jsonl`` out."""
