"""How fast petpark is beside limits and peers: one module per row of the table, and a harness that they share."""
