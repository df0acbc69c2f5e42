"""What a user has, as matrices with labels: one page of a grid, or several."""
