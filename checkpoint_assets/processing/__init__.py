"""What is made of captured steps: processors, pipelines, and the manager that runs them."""
