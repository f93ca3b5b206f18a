"""Trained models in folders of their own: model.safetensors, config.json and README.md."""
