"""Training, evaluating and predicting through mmsegmentation."""
