"""Real browsers: launching, acting, settling, capturing."""
