"""The insides of the demo shop: its goods, its visitors' carts and orders, and its pages."""
