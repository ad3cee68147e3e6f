"""For teams that come from a hand-made tracking module: `tracking` has the names of such a module, `own_names` other words for the same fields."""
