"""Where pictures come from and where results go: sources, sinks, drawing."""

# Before PyAV: both wheels bring X libraries of the same names. Loaded second, OpenCV's windows
# find PyAV's and hang.
import cv2  # noqa: F401
