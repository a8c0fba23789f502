"""Reports: evidence in, something to read out. No files, no clock, no network."""
