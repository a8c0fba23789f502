"""How the tables of the log came to be: one module a revision, which only adds."""
