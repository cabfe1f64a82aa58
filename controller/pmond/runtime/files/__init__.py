"""Files that pmond reads, watches and keeps in size: manifests and logs."""
