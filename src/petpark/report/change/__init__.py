"""The report of a change: two sides in, one text out, for the comment, the job summary and the page."""
