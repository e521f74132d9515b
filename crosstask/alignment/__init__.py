"""Which objective will help: does its gradient agree with that of the labels that were hidden from training?"""
