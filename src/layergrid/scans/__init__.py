"""From a model to one number per tensor, and the cells that these stand in."""
