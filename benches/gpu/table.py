"""What `run.sh time` measured, as a table in Markdown; the share of the loss in a step is that of STAR alone, once for each stack."""

import json
import pathlib
import sys

STACKS = 4


def main():
    rows = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("time-*/*.json")):
        document = json.load(open(path))
        for row in document["rows"]:
            rows[row["case"], row["batch"], document["precision"]] = (row, document)
    print("| | batch | precision | ours, ms | faces/s | GPU MiB | peer, ms | peer's GPU MiB | ours / peer |\n|---|---|---|---|---|---|---|---|---|")
    for (case, batch, precision), (row, _) in sorted(rows.items()):
        ours, peer, ratio = row["ours"], row.get("peer"), row.get("ratio")
        ms = ours["milliseconds"]["median"]
        memory = lambda side: f"{side['gpu_mib']:.0f}" if side and side.get("gpu_mib") is not None else ""
        theirs = f"{peer['milliseconds']['median']:.2f}" if peer else ""
        ratio = f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else ""
        print(f"| {case} | {batch} | {precision} | {ms:.2f} | {1000 * batch / ms:.0f} | {memory(ours)} | {theirs} | {memory(peer)} | {ratio} |")
    for (case, batch, precision), (row, document) in rows.items():
        if case != "loss" or ("training-step", batch, precision) not in rows:
            continue
        stacks = next((int(s.split("=")[1]) for s in document["set"] if s.startswith("model.stacks=")), STACKS)
        step = rows["training-step", batch, precision][0]
        for side in ("ours", "peer"):
            if side in row and side in step:
                fraction = stacks * row[side]["milliseconds"]["median"] / step[side]["milliseconds"]["median"]
                print(f"\nSTAR's fraction of the step, {side}: {100 * fraction:.1f} %")
    if rows:
        document = next(iter(rows.values()))[1]
        print(f"\nBackend {document['backend']}; peer: {document.get('peer')} on {document.get('peer_device')}.")


if __name__ == "__main__":
    main()
