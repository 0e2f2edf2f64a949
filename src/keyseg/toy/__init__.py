"""Toy kitchens, as features and as drawn videos, and the demo."""
