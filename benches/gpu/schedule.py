"""The published schedule of 500 epochs shortened in proportion to a budget of minutes; prints it as JSON, with the settings for `star train`.

Everything that is counted in epochs or faces shrinks by the same factor: the three milestones stay at 40, 70 and 90 % of the run, and the
half-life of the EMA at the same fraction of it (10,000 faces of 500 epochs), though never under ten steps.
"""

import argparse
import json
import math

EPOCHS, MILESTONES, HALF_LIFE = 500, [200, 350, 450], 10_000
# The rest of the budget is for evaluations, checkpoints and images.
TRAINING_FRACTION = 0.85
EVALUATIONS = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seconds-a-step", type=float, required=True)
    parser.add_argument("--faces", type=int, required=True, help="training faces, without the held-out ones")
    parser.add_argument("--batch", type=int, required=True)
    args = parser.parse_args()
    steps = math.ceil(args.faces / args.batch)
    epochs = int(TRAINING_FRACTION * 60 * args.minutes / (steps * args.seconds_a_step))
    epochs = max(1, min(epochs, EPOCHS))
    fraction = epochs / EPOCHS
    every = max(1, round(epochs / EVALUATIONS))
    settings = {
        "train.epochs": epochs,
        "train.batch_size": args.batch,
        "train.milestones": [max(1, round(milestone * fraction)) for milestone in MILESTONES],
        "train.ema_half_life": max(10 * args.batch, round(HALF_LIFE * fraction)),
        "train.eval_every": every,
        "train.checkpoint_every": every,
    }
    print(json.dumps({"epochs": epochs, "fraction": fraction, "seconds_a_step": args.seconds_a_step, "steps_an_epoch": steps, "settings": settings}))


if __name__ == "__main__":
    main()
