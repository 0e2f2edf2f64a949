"""The supplement's table and figures, and what each part of RTK is worth: on top of finished trainings."""
