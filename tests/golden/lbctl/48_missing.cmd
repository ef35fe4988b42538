drain
