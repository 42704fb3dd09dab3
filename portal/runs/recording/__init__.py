"""The only writer of runs, their steps and their results.

Locks are always taken in the same order: workflows by id, then runs, then causes by id. The counts
beside the runs change in the same transaction.
"""
