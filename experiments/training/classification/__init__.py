"""ImageNet pre-training."""
