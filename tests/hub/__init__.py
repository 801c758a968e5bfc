"""A model hub on this machine, over real HTTP, for tests of downloads."""
