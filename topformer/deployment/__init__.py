"""A network as it is deployed: BatchNorm folded, its graph's ends, its file formats."""
