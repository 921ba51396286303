"""From a job to the files of a bundle: what is exported, what is written of it, and where."""
