// What readers of COCO files do with damaged ones: pycocotools, mmdetection, GLIP, Ultralytics.

import { crash, drop, none, risk, wrong, type Rule } from './findings.ts'

const renumber = 'number from 1 through the whole data set'

/** What readers do with each. */
export const COCO_RULES = {
  file_bom: crash('json.load refuses a byte order mark', 'write the file without it'),
  utf8_invalid: crash('decoding fails', 'write UTF-8'),
  json_invalid: crash('json.load fails', 'write one JSON object'),
  not_a_dataset: crash(
    'COCO() asserts an object: a list is a results file, which loadRes takes',
    'validate the data set that the results belong to',
  ),
  section_missing: crash(
    'KeyError: pycocotools needs "images" and "categories", Ultralytics all three',
    'write "images", "annotations" and "categories", each a list',
  ),
  info_missing: crash(
    "loadRes of pycocotools 2.0.9 and 2.0.10 raises KeyError: 'info'; other versions work",
    'add "info": {}',
  ),
  licenses_missing: none('does not look at it, but copies the section', 'add "licenses": []'),
  no_images: wrong('has nothing to read', 'leave the file out'),
  no_annotations: crash(
    'loadRes and the evaluation built on it fail on a file without annotations',
    'leave the file out',
  ),
  entry_not_object: crash('looks for keys in it', 'write objects'),
  image_key_missing: crash(
    'KeyError (id: pycocotools; file_name, width, height: mmdetection, GLIP)',
    'add the key',
  ),
  image_id_duplicate: wrong(
    'keeps the last image of that id and gives it the boxes of all',
    renumber,
  ),
  image_size_invalid: wrong(
    'measures boxes against it and drops them, or fails',
    'write the size of the stored image in pixels',
  ),
  annotation_key_missing: crash('KeyError', 'add the key'),
  annotation_id_zero: wrong(
    'pycocotools takes 0 for "unmatched": AP falls without an error',
    renumber,
  ),
  annotation_id_duplicate: wrong(
    'pycocotools keeps the last one: AP falls without an error; mmdetection asserts',
    renumber,
  ),
  id_string: risk(
    'pycocotools works, but code that takes a string for a list of ids does not, and Ultralytics ' +
      'formats ids as integers',
    'write integers',
  ),
  id_not_integer: wrong(
    'ids that are no integers up to 2^53 do not survive every reader',
    renumber,
  ),
  image_id_unresolved: wrong(
    'never looks the box up: it is lost without a message',
    'add the image, or drop the annotation',
  ),
  category_id_unresolved: wrong(
    'skips the box: it is lost without a message',
    'add the category, or drop the annotation',
  ),
  category_key_missing: crash('KeyError (id: pycocotools; name: mmdetection)', 'add the key'),
  category_id_zero: risk(
    'works in pycocotools; detectors that keep 0 for the background lose the class',
    'number categories from 1',
  ),
  category_id_duplicate: wrong(
    'keeps the last category of that id',
    'number categories from 1, each once',
  ),
  category_name_duplicate: wrong(
    'mmdetection finds classes by name and mixes the two',
    'give each name once',
  ),
  category_name_case: risk(
    'Ultralytics lower-cases names: the two become one',
    'write names in lower case',
  ),
  bbox_shape: crash('unpacks four numbers', 'write [x, y, w, h]'),
  box_not_finite: wrong('trains on it; the loss becomes NaN', 'drop the box'),
  box_empty: drop(
    'mmdetection drops the box; pycocotools gives it no overlap with any other',
    'drop boxes without width or height',
  ),
  box_small: drop(
    'mmdetection drops boxes with a side below 1 px, GLIP those up to 1 px',
    'write pixels, not shares of the size',
  ),
  box_outside: drop('mmdetection drops the box', 'check the size and the box'),
  box_over_edge: risk(
    'mmdetection keeps it as it is, GLIP cuts it, the MDETR-type loader may assert',
    'clip boxes to the image; [x, y, w, h], not [x1, y1, x2, y2]',
  ),
  box_duplicate: drop('Ultralytics drops identical boxes of one category', 'drop one of the two'),
  area_zero: drop('mmdetection drops the box', 'write w x h'),
  area_mismatch: risk(
    'COCOeval sorts the box into small, medium or large by it',
    'write w x h where there is no mask',
  ),
  iscrowd_set: drop(
    'is not trained on, and matches any number of detections',
    'write 0 for a box of one thing',
  ),
  tokens_shape: crash('GLIP and YOLO-World unpack pairs', 'write [[start, end], ...]'),
  span_outside: wrong(
    'GLIP finds no token for the box, YOLO-World an empty class name',
    'count spans in Unicode code points of the caption',
  ),
  categories_differ: wrong(
    'reads each file by itself: one id means different things when they are joined',
    'write the same categories into every file',
  ),
  ids_overlap: risk('reads each file by itself; joined, the files have ids twice', renumber),
} satisfies Readonly<Record<string, Rule>>

/** Kinds of trouble with a COCO file. */
export type CocoCode = keyof typeof COCO_RULES
