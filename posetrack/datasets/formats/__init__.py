"""Annotation formats of other tools: each is read into, and written from, a COCO file's lists."""
