"""Where Jobs run: in this process, in worker processes, on a Ray cluster. `base.Engine` is what all of them are."""
