from gan.metrics.measurement import Measurement


def test_values_of_classes_are_told_from_others() -> None:
    values = {"a/x/domain/fid": 1.0, "a/recall": 0.5, "a/recall/10": 0.25, "a/recall/2": 0.75}
    values |= {"a/recall/all": 0.1, "a/other/3": 0.2}
    seen = Measurement(5, 40, values, {}, per_class={"a/recall"}, class_names=["no", "yes", "cat"])
    assert seen.classes == {2: {"a/recall": 0.75}, 10: {"a/recall": 0.25}}
    assert [*seen.classes] == [2, 10]
    assert set(seen.overall) == {"a/x/domain/fid", "a/recall", "a/recall/all", "a/other/3"}
    assert [seen.class_name(label) for label in seen.classes] == ["cat", "10"]
    assert seen.record == {"step": 5, "images": 40, **values}
