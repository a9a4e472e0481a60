"""Geometry of lenses: stereo rectification and matching, undistortion, and how well image and depth agree."""
