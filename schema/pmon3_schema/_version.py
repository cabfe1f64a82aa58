"""The one version number of the distribution, of both programs and of the API."""

__version__ = "0.1.0"
