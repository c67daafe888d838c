"""What a design costs: parameters, MACs, memory."""
