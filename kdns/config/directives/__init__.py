"""The directives that kdns has, one file each or a close family, as declarations; config.table has them in order."""
