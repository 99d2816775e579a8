"""Two runs of the same recipe on two backends, and their predictions of the same faces, side by side; status 1 where they are too far apart.

    python3 benches/gpu/same_figures.py --runs A B [--predictions A.json B.json] [--loss 5e-3] [--point 0.1]
"""

import argparse
import json
import math
import pathlib
import sys


def losses(run):
    with open(pathlib.Path(run) / "steps.jsonl") as lines:
        return [json.loads(line)["loss"] for line in lines]


def points(path):
    faces = json.load(open(path))["faces"]
    return [(point["x"], point["y"]) for face in faces for point in face["points"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", nargs=2, required=True)
    parser.add_argument("--predictions", nargs=2)
    parser.add_argument("--loss", type=float, default=5e-3, help="largest relative distance of two losses of a step")
    parser.add_argument("--point", type=float, default=0.1, help="largest distance of two predictions of a point, pixels of the image")
    args = parser.parse_args()
    ours, theirs = map(losses, args.runs)
    if not ours or len(ours) != len(theirs):
        sys.exit(f"{len(ours)} steps and {len(theirs)}")
    result = {"steps": len(ours), "loss_apart": max(abs(a - b) / abs(a) for a, b in zip(ours, theirs)), "loss_allowed": args.loss}
    good = result["loss_apart"] <= args.loss
    if args.predictions:
        ours, theirs = map(points, args.predictions)
        if not ours or len(ours) != len(theirs):
            sys.exit(f"{len(ours)} points and {len(theirs)}")
        result["points"] = len(ours)
        result["point_apart"] = max(math.dist(a, b) for a, b in zip(ours, theirs))
        result["point_allowed"] = args.point
        good = good and result["point_apart"] <= args.point
    result["same"] = good
    print(json.dumps(result))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
