"""What an interval speaks of, and why it is to be taken with care."""

from __future__ import annotations

# An interval's scope: what else the mean could have been taken over.
NEW_SEQUENCES = "new sequences"
THESE_SEQUENCES = "these sequences"
NO_INTERVAL = "none"

NO_CAUTION = "no"
FEW_FRAMES_CAUTION = "few independent frames"
FEW_SEQUENCES_CAUTION = "few effective sequences"
