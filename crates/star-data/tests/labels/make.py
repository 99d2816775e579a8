"""Writes the files of this folder with each program's own code, all of the same three objects.

    python3 -m venv venv && venv/bin/pip install pycocotools datumaro label-studio-sdk labelme pandas dlib-bin
    venv/bin/python make.py

dlib keeps whole pixels, so all points are whole. CVAT, labelme and Label Studio count from the image's corner: the centre of the first pixel
is at 0.5 there. `cvat_skeleton.xml` is by hand, after the description of the format: no package writes it.
"""

import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).parent
NAMES = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
BONES = [[0, 1], [0, 2], [1, 3], [2, 4]]
SIZE = (80, 60)
# Image, points (None: not labelled), hidden points, box.
OBJECTS = [
    ("clip 1/a b.png", [(40, 30), (50, 20), (30, 20), (60, 22), (20, 22)], [], (15, 10, 50, 40)),
    ("clip 2/\u00e9.png", [(20, 30), (25, 20), (15, 20), (29, 22), None], [3], (5, 10, 30, 30)),
    ("clip 2/\u00e9.png", [(60, 30), (65, 20), (55, 20), (69, 22), (51, 22)], [], (45, 10, 30, 30)),
]
IMAGES = sorted({o[0] for o in OBJECTS})


def truth():
    rows = [
        {"image": image, "points": points, "hidden": hidden, "box": box}
        for image, points, hidden, box in OBJECTS
    ]
    write("truth.json", json.dumps({"names": NAMES, "objects": rows}, indent=1))


def write(name, text):
    (HERE / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def coco():
    from pycocotools.coco import COCO

    annotations = []
    for i, (image, points, hidden, box) in enumerate(OBJECTS):
        flat = []
        for k, p in enumerate(points):
            flat += [0, 0, 0] if p is None else [*p, 1 if k in hidden else 2]
        annotations.append(
            dict(id=i + 1, image_id=1 + IMAGES.index(image), category_id=1, bbox=box, area=box[2] * box[3], iscrowd=0, keypoints=flat, num_keypoints=sum(p is not None for p in points))
        )
    images = [dict(id=i + 1, file_name=n, width=SIZE[0], height=SIZE[1]) for i, n in enumerate(IMAGES)]
    category = dict(id=1, name="face", supercategory="", keypoints=NAMES, skeleton=[[a + 1, b + 1] for a, b in BONES])
    write("coco.json", json.dumps(dict(images=images, categories=[category], annotations=annotations), indent=1))
    read = COCO(str(HERE / "coco.json"))
    assert [a["num_keypoints"] for a in read.loadAnns(read.getAnnIds())] == [5, 4, 5]


def datumaro():
    import numpy as np
    from datumaro.components.annotation import Bbox, LabelCategories, Points, PointsCategories, AnnotationType
    from datumaro.components.dataset import Dataset
    from datumaro.components.dataset_base import DatasetItem
    from datumaro.components.media import Image

    points_of = PointsCategories()
    points_of.add(0, labels=NAMES, joints={(a + 1, b + 1) for a, b in BONES})
    categories = {AnnotationType.label: LabelCategories.from_iterable(["face"]), AnnotationType.points: points_of}
    pixels = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)

    def dataset(shift, whole):
        items = []
        for image in IMAGES:
            annotations = []
            for i, (name, points, hidden, box) in enumerate(OBJECTS):
                if name != image or (whole and None in points):
                    continue
                flat = [v + shift for p in points for v in (p or (0, 0))]
                seen = [0 if p is None else 1 if k in hidden else 2 for k, p in enumerate(points)]
                annotations.append(Points(flat, visibility=seen, label=0, id=i + 1, group=i + 1))
                x, y, w, h = box
                annotations.append(Bbox(x + shift, y + shift, w, h, label=0, id=i + 1, group=i + 1))
            stem = image.rsplit(".", 1)[0]
            items.append(DatasetItem(id=stem, subset="all", annotations=annotations, media=Image.from_numpy(pixels, ext=".png")))
        return Dataset.from_iterable(items, categories=categories)

    scratch = HERE / "scratch"
    dataset(0, False).export(str(scratch / "coco"), "coco_person_keypoints")
    shutil.copy(scratch / "coco/annotations/person_keypoints_all.json", HERE / "coco_datumaro.json")
    # Its CVAT files say nothing of points that are not labelled.
    dataset(0.5, True).export(str(scratch / "cvat"), "cvat", save_media=False)
    shutil.copy(scratch / "cvat/all.xml", HERE / "cvat.xml")
    shutil.rmtree(scratch)


def cvat_skeleton():
    svg = "".join(f'<line x1="0" y1="0" x2="1" y2="1" data-type="edge" data-node-from="{a + 1}" data-node-to="{b + 1}"></line>' for a, b in BONES)
    svg += "".join(f'<circle r="1" cx="1" cy="1" data-type="element node" data-element-id="{k + 1}" data-node-id="{k + 1}" data-label-name="{n}"></circle>' for k, n in enumerate(NAMES))
    svg = svg.replace("<", "&lt;").replace(">", "&gt;")
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>", "  <meta><task><labels>"]
    lines += [f"    <label><name>face</name><color>#fff</color><type>skeleton</type><attributes></attributes><svg>{svg}</svg></label>"]
    lines += [f"    <label><name>{n}</name><type>points</type><attributes></attributes><parent>face</parent></label>" for n in NAMES]
    lines += ["  </labels></task></meta>"]
    for i, image in enumerate([*IMAGES, "clip 2/empty.png"]):
        lines += [f'  <image id="{i}" name="{image}" width="{SIZE[0]}" height="{SIZE[1]}">']
        for name, points, hidden, _ in OBJECTS:
            if name == image:
                lines += ['    <skeleton label="face" source="manual" z_order="0">']
                # CVAT writes them in no order.
                for k in reversed(range(len(NAMES))):
                    x, y = points[k] or (-0.5, -0.5)
                    lines += [f'      <points label="{NAMES[k]}" source="manual" outside="{int(points[k] is None)}" occluded="{int(k in hidden)}" points="{x + 0.5:.2f},{y + 0.5:.2f}">', "      </points>"]
                lines += ["    </skeleton>"]
        lines += ["  </image>"]
    write("cvat_skeleton.xml", "\n".join([*lines, "</annotations>"]))


def label_studio():
    from label_studio_sdk.label_interface import LabelInterface

    config = '<View><Image name="image" value="$image"/><KeyPointLabels name="kp" toName="image">'
    config += "".join(f'<Label value="{n}"/>' for n in NAMES) + '</KeyPointLabels><RectangleLabels name="box" toName="image"><Label value="face"/></RectangleLabels></View>'
    interface = LabelInterface(config)
    keypoints, boxes = interface.get_tag("kp"), interface.get_tag("box")
    width, height = SIZE
    tasks = []
    for t, image in enumerate(IMAGES):
        result = []
        for i, (name, points, hidden, (x, y, w, h)) in enumerate(OBJECTS):
            if name != image:
                continue
            of_image = dict(original_width=width, original_height=height, image_rotation=0)
            box = boxes.label("face", x=100 * (x + 0.5) / width, y=100 * (y + 0.5) / height, width=100 * w / width, height=100 * h / height, rotation=0)._dict()
            result.append({**box, **of_image, "id": f"box{i}"})
            for k, p in enumerate(points):
                if p is not None:
                    one = keypoints.label(NAMES[k], x=100 * (p[0] + 0.5) / width, y=100 * (p[1] + 0.5) / height, width=0.5)
                    result.append({**one._dict(), **of_image, "id": f"p{i}-{k}", "parentID": f"box{i}"})
        upload = f"0a1b2c{t:02d}-{image.rsplit('/', 1)[1]}"
        task = dict(id=t + 1, file_upload=upload, data=dict(image=f"/data/upload/1/{upload}"), annotations=[dict(id=t + 1, was_cancelled=False, result=result)], predictions=[])
        assert interface.validate_annotation({k: v for k, v in task["annotations"][0].items() if k == "result"}), task
        tasks.append(task)
    write("label_studio.json", json.dumps(tasks, indent=1))


def labelme():
    from labelme._label_file import write_label_file

    for image in IMAGES:
        shapes = []
        for i, (name, points, hidden, (x, y, w, h)) in enumerate(OBJECTS):
            if name != image:
                continue
            base = dict(group_id=i, description="", mask=None)
            shapes.append(dict(base, label="face", shape_type="rectangle", flags={}, points=[[x + 0.5, y + 0.5], [x + w + 0.5, y + h + 0.5]]))
            for k, p in enumerate(points):
                if p is not None:
                    flags = {"hidden": True} if k in hidden else {}
                    shapes.append(dict(base, label=NAMES[k], shape_type="point", flags=flags, points=[[p[0] + 0.5, p[1] + 0.5]]))
        out = HERE / "labelme" / (image.rsplit(".", 1)[0] + ".json")
        out.parent.mkdir(parents=True, exist_ok=True)
        write_label_file(str(out), shapes=shapes, image_path=image.rsplit("/", 1)[1], image_height=SIZE[1], image_width=SIZE[0])


def dlib():
    import dlib as d

    data = d.image_dataset_metadata.dataset()
    data.name = "made"
    for image in IMAGES:
        one = d.image_dataset_metadata.image()
        one.filename = image
        for name, points, hidden, (x, y, w, h) in OBJECTS:
            if name == image:
                box = d.image_dataset_metadata.box()
                box.rect = d.rectangle(x, y, x + w - 1, y + h - 1)
                for n, p in zip(NAMES, points):
                    if p:
                        box.parts[n] = d.point(*p)
                one.boxes.append(box)
        data.images.append(one)
    d.image_dataset_metadata.save_image_dataset_metadata(data, str(HERE / "dlib.xml"))
    for stylesheet in HERE.glob("*.xsl"):
        stylesheet.unlink()


def deeplabcut():
    import pandas as pd

    def table(animals, rows, name):
        columns = [("me", *a, n, c) for a in animals for n in NAMES for c in ("x", "y")]
        levels = ["scorer", *(["individuals"] if animals != [()] else []), "bodyparts", "coords"]
        index = pd.MultiIndex.from_tuples([("labeled-data", *r[0].split("/")) for r in rows])
        values = [[v for points in r[1] for p in points for v in (p or (None, None))] for r in rows]
        pd.DataFrame(values, index=index, columns=pd.MultiIndex.from_tuples(columns, names=levels), dtype=float).to_csv(HERE / name)

    table([()], [(o[0], [o[1]]) for o in OBJECTS[:2]], "deeplabcut.csv")
    nobody = [None] * len(NAMES)
    table([("one",), ("two",)], [(OBJECTS[0][0], [OBJECTS[0][1], nobody]), (OBJECTS[1][0], [OBJECTS[1][1], OBJECTS[2][1]])], "deeplabcut_several.csv")


if __name__ == "__main__":
    for make in (truth, coco, datumaro, cvat_skeleton, label_studio, labelme, dlib, deeplabcut):
        try:
            make()
            print(make.__name__, "written")
        except Exception as error:
            if "--strict" in sys.argv:
                raise
            print(make.__name__, "FAILED", repr(error))
