"""What a verdict can be; `helpers.claims` says what each means."""

SUPPORTED, REFUTED, MIXED, UNDECIDED = "supported", "refuted", "mixed", "undecided"
TOO_FEW, ARITHMETIC, AWAITING = "too few", "arithmetic", "awaiting"
VERDICTS = (SUPPORTED, REFUTED, MIXED, UNDECIDED, TOO_FEW, ARITHMETIC, AWAITING)
