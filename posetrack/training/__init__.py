"""Training: the module that makes the models. Needs the extra ``train`` (PyTorch)."""
