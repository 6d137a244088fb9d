"""`python -m services.api`: the gateway process."""

from services.api.process import run
from services.operation.process import launch

if __name__ == "__main__":
    launch(run)
