"""The editor of a workflow's definition: its form is the draft, which no other place stores."""
