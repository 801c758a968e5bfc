"""The tests: unit (mirrors the package), golden (against the reference), e2e (the real program)."""
