"""Every claim of the paper against collected rows. `rules/*.yaml` says what is claimed and what would show it.

evidence   rows and manifests of a results folder
rules      one yaml per experiment of the paper, read and checked
measure    the closed vocabulary in which a rule turns rows into one number
verdicts   number against thresholds: holds, holds in part, does not hold, not run here
"""
