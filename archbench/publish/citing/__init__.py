"""Citations of Records: entries for archbench and for papers, a paragraph of methods, and how each Record is made again."""
