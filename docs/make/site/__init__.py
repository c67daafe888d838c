"""The documentation site: the pages of the repository in one order, with every link checked."""
