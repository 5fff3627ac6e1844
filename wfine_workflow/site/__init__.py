"""The website: README, docs, notebooks and the course as one folder of static pages."""
