"""The process that turns the log into read models: one module per model, and the runner."""
