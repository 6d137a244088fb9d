"""The dispatcher process: what travels outward about directives."""
