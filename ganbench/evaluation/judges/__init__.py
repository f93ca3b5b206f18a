"""Classifiers of a user's own labelled images: trained, kept in a folder, and asked for classes."""
