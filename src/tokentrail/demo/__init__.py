"""What `tokentrail demo` runs beside the library: the official Collector and a small real model, installed once into the user's cache folder."""
