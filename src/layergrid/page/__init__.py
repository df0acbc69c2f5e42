"""What the page is told, what it may ask, and how it is answered."""
