"""The same thing through time: link detections, fill gaps, look ahead, hold what the detector loses."""
