"""Week 2: preferences without a judge."""
