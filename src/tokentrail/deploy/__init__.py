"""Files for production, deployed beside the services: `tokentrail export` writes these files into a folder."""
