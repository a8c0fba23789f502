"""Settings, read into frozen types; an unknown key is an error."""
