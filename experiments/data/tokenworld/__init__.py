"""The embedded data set: drawn scenes whose labels need the semantics extractor."""
