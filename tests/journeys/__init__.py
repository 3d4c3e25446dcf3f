"""Whole journeys: a message from one end to the other, through crashes, and what may be read of it on the way."""
