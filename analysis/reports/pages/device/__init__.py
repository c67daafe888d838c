"""The page of a device: how far its predicted latencies are from measured ones."""
