"""What the search box of the header finds: workflows, runs and people, over all that one may see."""
