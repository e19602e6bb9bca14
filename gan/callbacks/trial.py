"""Names that a search and its trials share."""

PRUNED = "pruned.txt"  # file in the run folder that says why the trial was stopped early
STUDY = "search"  # the study in a journal of Optuna
