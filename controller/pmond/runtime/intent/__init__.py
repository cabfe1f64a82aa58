"""What is wanted: the verbs of callers and the manifests, written down as intent."""
