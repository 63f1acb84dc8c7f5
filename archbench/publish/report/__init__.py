"""The report: everything that the Records of a folder say, as one page that a browser opens from the disk or from `archbench serve`."""
