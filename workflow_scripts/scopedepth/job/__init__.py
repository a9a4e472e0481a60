"""What surrounds a job: its log and record, what it is made from, its terminal, its device."""
