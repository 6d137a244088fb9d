"""`python -m services.relay`: the relay process."""

from services.operation.process import launch
from services.relay.process import run

if __name__ == "__main__":
    launch(run)
