"""Rocamadre: an open, self-hosted platform for generative models that speaks the Amazon Bedrock APIs."""

__all__ = ["__version__"]

__version__ = "0.1.0"
