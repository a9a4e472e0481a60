"""A model to take away: its network with what stands before and after it, in one ONNX file that is held against it."""
