"""Files that run in production beside the library: `tokentrail export` writes them where they are deployed from."""
