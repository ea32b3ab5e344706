"""What `scripts/validate_rules.py` is made of.

judged   drawn sites beside their truth: drawn, assessed, kept as files
tables   what those files tell: verdicts, intervals, areas, scales
real     sites of real pairs, whose labels tell part of the truth
"""
