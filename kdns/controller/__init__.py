"""The controller process: what the cluster says becomes patches for the workers, and pages for people."""
