"""Whole models that bring their own program: TorchScript, torch.export and ONNX."""
