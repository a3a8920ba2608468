"""Networks: their cards, their weights, and sessions that run them."""
