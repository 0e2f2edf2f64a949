"""The studio: a folder of videos, their timelines and every edit, in a server with one page."""
