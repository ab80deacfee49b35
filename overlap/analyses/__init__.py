"""Measurements on stored predictions: arrays in, arrays out."""
