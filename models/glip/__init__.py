"""GLIP in plain PyTorch: model, checkpoint conversion, ONNX export, pre- and post-processing."""
