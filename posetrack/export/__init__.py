"""A model's graph made ready for where it will run: one graph, a precision, a file format, a check.

Works on ONNX files and needs no PyTorch; what turns checkpoints into them is `training.export`.
"""
