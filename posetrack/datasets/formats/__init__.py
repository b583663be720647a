"""Annotation formats of other tools, read into and written from COCO's."""
