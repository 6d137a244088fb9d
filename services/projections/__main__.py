"""`python -m services.projections`: the read models' process."""

from services.operation.process import launch
from services.projections.process import run

if __name__ == "__main__":
    launch(run)
