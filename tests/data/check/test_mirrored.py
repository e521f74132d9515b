"""What is told of labels that a mirror changes."""

from crosstask.data.check.mirrored import doubts, exchanges
from crosstask.tasks import Category, Regression, Segmentation

TASKS = {
    "parts": Segmentation("parts", classes=["body", "left_arm", "right_arm", "left_leg", "right_leg"]),
    "mood": Category("mood", classes=["calm", "angry"]),
    "pose": Regression("pose", names=["yaw", "pitch"]),
    "steering": Regression("steering", names=["steering"]),
    "age": Regression("age", names=1),
}


def test_each_line_names_the_task_and_what_is_told():
    (told,) = exchanges(TASKS)
    assert told == "parts: in mirrored images (data.flip) left_arm and right_arm, left_leg and right_leg change places"
    assert doubts(TASKS) == [
        "pose: yaw may be another number in a mirrored image: if so, set data.flip: false",
        "steering: steering may be another number in a mirrored image: if so, set data.flip: false",
    ]
