"""The sampler that knows the costs of every design and learns the accuracy alone; `sampler` is its door."""
