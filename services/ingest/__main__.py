"""`python -m services.ingest`: the centres' door."""

from services.ingest.process import run
from services.operation.process import launch

if __name__ == "__main__":
    launch(run)
