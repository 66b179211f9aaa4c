"""Settings of the Celery workers. They find it where ``PYTHONPATH`` names this folder."""

import os

broker_url = os.environ["CELERY_BROKER_URL"]
result_backend = os.environ["CELERY_RESULT_BACKEND"]

# A busy worker takes no further run: it would wait there while another worker is idle, until
# Dagster gives it up for not starting.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True

# As with Dagster's own launcher each run is a process of its own.
worker_max_tasks_per_child = 1

# Else Celery takes what a run prints for its own log, and the compute logs stay empty.
worker_redirect_stdouts = False
