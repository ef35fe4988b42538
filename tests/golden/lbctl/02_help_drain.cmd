help drain
