// What readers of COCO files do with damaged ones: pycocotools, mmdetection, GLIP, Ultralytics.

import type { Rule } from './findings.ts'

/** Kinds of trouble with a COCO file. */
export type CocoCode =
  | 'file_bom'
  | 'utf8_invalid'
  | 'json_invalid'
  | 'not_a_dataset'
  | 'section_missing'
  | 'info_missing'
  | 'licenses_missing'
  | 'no_images'
  | 'no_annotations'
  | 'entry_not_object'
  | 'image_key_missing'
  | 'image_id_duplicate'
  | 'image_size_invalid'
  | 'annotation_key_missing'
  | 'annotation_id_zero'
  | 'annotation_id_duplicate'
  | 'id_string'
  | 'id_not_integer'
  | 'image_id_unresolved'
  | 'category_id_unresolved'
  | 'category_key_missing'
  | 'category_id_zero'
  | 'category_id_duplicate'
  | 'category_name_duplicate'
  | 'category_name_case'
  | 'bbox_shape'
  | 'box_not_finite'
  | 'box_empty'
  | 'box_small'
  | 'box_outside'
  | 'box_over_edge'
  | 'box_duplicate'
  | 'area_zero'
  | 'area_mismatch'
  | 'iscrowd_set'
  | 'tokens_shape'
  | 'span_outside'
  | 'categories_differ'
  | 'ids_overlap'

const renumber = 'number from 1 through the whole data set'

/** What readers do with each. */
export const COCO_RULES: Readonly<Record<CocoCode, Rule>> = {
  file_bom: {
    effect: 'crash',
    loader: 'json.load refuses a byte order mark',
    advice: 'write the file without it',
  },
  utf8_invalid: { effect: 'crash', loader: 'decoding fails', advice: 'write UTF-8' },
  json_invalid: { effect: 'crash', loader: 'json.load fails', advice: 'write one JSON object' },
  not_a_dataset: {
    effect: 'crash',
    loader: 'COCO() asserts an object: a list is a results file, which loadRes takes',
    advice: 'validate the data set that the results belong to',
  },
  section_missing: {
    effect: 'crash',
    loader: 'KeyError: pycocotools needs "images" and "categories", Ultralytics all three',
    advice: 'write "images", "annotations" and "categories", each a list',
  },
  info_missing: {
    effect: 'crash',
    loader: "loadRes of pycocotools 2.0.9 and 2.0.10 raises KeyError: 'info'; other versions work",
    advice: 'add "info": {}',
  },
  licenses_missing: {
    effect: 'none',
    loader: 'does not look at it, but copies the section',
    advice: 'add "licenses": []',
  },
  no_images: { effect: 'wrong', loader: 'has nothing to read', advice: 'leave the file out' },
  no_annotations: {
    effect: 'crash',
    loader: 'loadRes and the evaluation built on it fail on a file without annotations',
    advice: 'leave the file out',
  },
  entry_not_object: { effect: 'crash', loader: 'looks for keys in it', advice: 'write objects' },
  image_key_missing: {
    effect: 'crash',
    loader: 'KeyError (id: pycocotools; file_name, width, height: mmdetection, GLIP)',
    advice: 'add the key',
  },
  image_id_duplicate: {
    effect: 'wrong',
    loader: 'keeps the last image of that id and gives it the boxes of all',
    advice: renumber,
  },
  image_size_invalid: {
    effect: 'wrong',
    loader: 'measures boxes against it and drops them, or fails',
    advice: 'write the size of the stored image in pixels',
  },
  annotation_key_missing: { effect: 'crash', loader: 'KeyError', advice: 'add the key' },
  annotation_id_zero: {
    effect: 'wrong',
    loader: 'pycocotools takes 0 for "unmatched": AP falls without an error',
    advice: renumber,
  },
  annotation_id_duplicate: {
    effect: 'wrong',
    loader: 'pycocotools keeps the last one: AP falls without an error; mmdetection asserts',
    advice: renumber,
  },
  id_string: {
    effect: 'risk',
    loader:
      'pycocotools works, but code that takes a string for a list of ids does not, and Ultralytics ' +
      'formats ids as integers',
    advice: 'write integers',
  },
  id_not_integer: {
    effect: 'wrong',
    loader: 'ids that are no integers up to 2^53 do not survive every reader',
    advice: renumber,
  },
  image_id_unresolved: {
    effect: 'wrong',
    loader: 'never looks the box up: it is lost without a message',
    advice: 'add the image, or drop the annotation',
  },
  category_id_unresolved: {
    effect: 'wrong',
    loader: 'skips the box: it is lost without a message',
    advice: 'add the category, or drop the annotation',
  },
  category_key_missing: {
    effect: 'crash',
    loader: 'KeyError (id: pycocotools; name: mmdetection)',
    advice: 'add the key',
  },
  category_id_zero: {
    effect: 'risk',
    loader: 'works in pycocotools; detectors that keep 0 for the background lose the class',
    advice: 'number categories from 1',
  },
  category_id_duplicate: {
    effect: 'wrong',
    loader: 'keeps the last category of that id',
    advice: 'number categories from 1, each once',
  },
  category_name_duplicate: {
    effect: 'wrong',
    loader: 'mmdetection finds classes by name and mixes the two',
    advice: 'give each name once',
  },
  category_name_case: {
    effect: 'risk',
    loader: 'Ultralytics lower-cases names: the two become one',
    advice: 'write names in lower case',
  },
  bbox_shape: { effect: 'crash', loader: 'unpacks four numbers', advice: 'write [x, y, w, h]' },
  box_not_finite: {
    effect: 'wrong',
    loader: 'trains on it; the loss becomes NaN',
    advice: 'drop the box',
  },
  box_empty: {
    effect: 'drop',
    loader: 'mmdetection drops the box; pycocotools gives it no overlap with any other',
    advice: 'drop boxes without width or height',
  },
  box_small: {
    effect: 'drop',
    loader: 'mmdetection drops boxes with a side below 1 px, GLIP those up to 1 px',
    advice: 'write pixels, not shares of the size',
  },
  box_outside: {
    effect: 'drop',
    loader: 'mmdetection drops the box',
    advice: 'check the size and the box',
  },
  box_over_edge: {
    effect: 'risk',
    loader: 'mmdetection keeps it as it is, GLIP cuts it, the MDETR-type loader may assert',
    advice: 'clip boxes to the image; [x, y, w, h], not [x1, y1, x2, y2]',
  },
  box_duplicate: {
    effect: 'drop',
    loader: 'Ultralytics drops identical boxes of one category',
    advice: 'drop one of the two',
  },
  area_zero: { effect: 'drop', loader: 'mmdetection drops the box', advice: 'write w x h' },
  area_mismatch: {
    effect: 'risk',
    loader: 'COCOeval sorts the box into small, medium or large by it',
    advice: 'write w x h where there is no mask',
  },
  iscrowd_set: {
    effect: 'drop',
    loader: 'is not trained on, and matches any number of detections',
    advice: 'write 0 for a box of one thing',
  },
  tokens_shape: {
    effect: 'crash',
    loader: 'GLIP and YOLO-World unpack pairs',
    advice: 'write [[start, end], ...]',
  },
  span_outside: {
    effect: 'wrong',
    loader: 'GLIP finds no token for the box, YOLO-World an empty class name',
    advice: 'count spans in Unicode code points of the caption',
  },
  categories_differ: {
    effect: 'wrong',
    loader: 'reads each file by itself: one id means different things when they are joined',
    advice: 'write the same categories into every file',
  },
  ids_overlap: {
    effect: 'risk',
    loader: 'reads each file by itself; joined, the files have ids twice',
    advice: renumber,
  },
}
