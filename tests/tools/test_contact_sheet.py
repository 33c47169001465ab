"""The contact sheet: crops at 100 % within the picture, one column for each picture."""

import numpy as np


def test_a_crop_is_at_100_percent_and_stays_inside(tool):
    sheet = tool("contact_sheet")
    picture = np.arange(1000 * 1500 * 3, dtype=np.uint32).astype(np.uint8).reshape(1000, 1500, 3)
    np.testing.assert_array_equal(sheet.crop(picture, (0.5, 0.5)), picture[260:740, 430:1070])
    np.testing.assert_array_equal(sheet.crop(picture, (1.0, 0.0)), picture[:480, 860:])
    small = picture[:300, :400]
    np.testing.assert_array_equal(sheet.crop(small, (0.2, 0.9)), small)


def test_a_page_has_a_row_for_the_whole_and_for_each_crop(tool):
    sheet = tool("contact_sheet")
    pictures = [
        (name, np.full((1000, 1500, 3), code, np.uint8)) for name, code in (("a", 90), ("b", 200))
    ]
    page = sheet.page(pictures, ((0.3, 0.3), (0.7, 0.7)))
    rows, cols = (size + sheet.GAP_PX for size in sheet.CROP)
    assert page.shape == (3 * rows, 2 * cols, 3)
    assert (page[rows : rows + 480, :640] == 90).all()
    assert (page[rows : rows + 480, cols : cols + 640] == 200).all()
    assert (page[-1] == sheet.GROUND).all()


def test_every_centre_lies_in_its_picture(tool):
    for subject in tool("contact_sheet").SUBJECTS.values():
        assert subject.centres and all(0 <= c <= 1 for centre in subject.centres for c in centre)


def test_two_photographs_come_with_scikit_image(tool, tmp_path):
    sheet = tool("contact_sheet")
    for name in sheet.SKIMAGE:
        assert sheet.located(name, tmp_path).is_file()
    assert sheet.located("photos/ladybird.jpg", tmp_path) is None
