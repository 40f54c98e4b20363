"""Sentences for the examples: pairs that say the same in other words, each pair about something else."""

SENTENCES = (
    "The committee postponed its decision until after the summer.",
    "No verdict will be reached before autumn, the panel said.",
    "She tuned the violin before the concert began.",
    "Ahead of the performance the musician adjusted her instrument.",
    "Heavy rain flooded the streets near the harbour overnight.",
    "Roads by the port were under water this morning after a storm.",
    "A matrix with a zero determinant cannot be inverted.",
    "If the determinant vanishes, no inverse of the matrix exists.",
    "The bakery sells out of sourdough by nine in the morning.",
    "Come early for bread: the loaves are gone before the office opens.",
    "Our train was delayed for two hours by a broken signal.",
    "A failed signal kept passengers waiting on the platform all morning.",
    "Cells copy their DNA before they divide.",
    "Replication of the genome precedes cell division.",
    "He lost his keys somewhere between the car and the front door.",
    "The house key must have fallen out on the way in from the driveway.",
)
