"""`python -m services.timers`: the timers process."""

from services.operation.process import launch
from services.timers.process import run

if __name__ == "__main__":
    launch(run)
