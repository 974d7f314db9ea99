"""Names of tickets, shared by the figure and the tables of lottery tickets."""

TICKETS = {
    "fine-tuned": "pruned and fine-tuned",
    "early": "mask at an early epoch",
    "initial": "mask at initialisation",
    "random": "random mask, same layers",
}
