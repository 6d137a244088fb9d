"""`python -m services.dispatcher`: the dispatcher process."""

from services.dispatcher.process import run
from services.operation.process import launch

if __name__ == "__main__":
    launch(run)
