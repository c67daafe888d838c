"""RetinaNet around a design, through mmdetection."""
