"""Tables and logs that other tools write, each known by its content; see `layergrid.reading.read`."""
