"""What `evaluate` writes and `report` reads.

summary.json       means, intervals and counts for each data set, choice of planes and label
cases.csv          one line per case, choice of planes and label
bodies.csv         one line per body of the reference: its level and Dice, 0 where it was missed
slices.csv         one line per slice: Dice, or nothing where there was nothing to find and nothing was found
examples.npz       the best and the worst slices
network-PLANE.npz  kernels and activation maps of each network
"""

SUMMARY, CASES, BODIES, SLICES, EXAMPLES = "summary.json", "cases.csv", "bodies.csv", "slices.csv", "examples.npz"
NETWORK = "network-{plane}.npz"
