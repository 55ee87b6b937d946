// What the ODVG loaders do with a damaged file. Facts: mmdetection's and Open-GroundingDino's
// ODVGDataset and the transforms behind them; TAO's documented keys.

import type { OdvgDialect } from '../core/dialects.ts'
import { crash, none, risk, wrong, type Rule } from './findings.ts'

const recount = 'count spans in Unicode code points of the caption as it is stored'
const realign = 'write [x1, y1, x2, y2], not [x, y, w, h], and drop empty boxes'

/** A rule, and what is otherwise for single loaders. */
type DialectRule = Rule & Partial<Readonly<Record<OdvgDialect, Partial<Rule>>>>

const RULES = {
  file_bom: crash('json.loads refuses a byte order mark', 'write the file without it'),
  utf8_invalid: crash('decoding fails for the whole file', 'write UTF-8'),
  line_blank: crash('json.loads fails on the empty line', 'remove the line'),
  json_invalid: crash('json.loads fails', 'write one JSON object per line'),
  record_not_object: crash('looks for keys in something that has none', 'write objects'),
  file_empty: wrong('has no image to train on', 'export again with rules that keep some'),
  file_large: risk(
    'reads and parses the whole file at start-up, in every process',
    'export with --set export.layout=sharded and list the shards as data sets',
  ),
  filename_missing: {
    ...crash(
      "KeyError: 'filename'",
      'add the key, or validate with the --dialect that the file is in',
    ),
    tao: { loader: "KeyError: 'file_name'" },
  },
  size_missing: crash("KeyError: 'height' or 'width'", 'add the size of the stored image'),
  size_invalid: wrong(
    'measures boxes against it and drops them, or fails',
    'write the size of the stored image in pixels',
  ),
  variant_missing: crash(
    'KeyError: with a label map every line must have "detection", without one "grounding"',
    'give the label map of a detection file (--label-map), or none to a grounding file',
  ),
  caption_missing: crash("KeyError: 'caption'", 'add the caption that the spans index'),
  caption_blank: wrong('trains on an empty text', 'drop the line'),
  caption_outer_space: wrong(
    'strips the caption and keeps the spans, which then point elsewhere',
    'write the caption without leading white space and count spans in that',
  ),
  caption_lower_length: wrong(
    'lower-cases the caption, in which "İ" becomes two code points, and keeps the spans',
    'write "I" in place of "İ" in the caption',
  ),
  text_too_long: {
    ...wrong(
      'cuts the text at 256 tokens: phrases behind that lose their target',
      'drop or split the sample',
    ),
    'open-groundingdino': {
      loader: 'cuts the joined phrases at 256 tokens, in random order: some lose their target',
    },
  },
  regions_missing: crash('finds no list of regions', 'add "regions"'),
  regions_empty: {
    ...none('loads the image without boxes', 'drop it if not meant'),
    'open-groundingdino': crash(
      'fails when it unpacks the empty list',
      'drop images without regions',
    ),
  },
  phrase_missing: crash("KeyError: 'phrase'", 'add the phrase'),
  phrase_not_string: crash(
    'needs a string to join into the training text',
    'write one region with a string per box',
  ),
  phrase_blank: {
    ...wrong('trains the box on no word', 'write the phrase'),
    mmdet: { effect: 'none', loader: 'only displays the phrase' },
  },
  phrase_substring: risk(
    'looks for the first place of each phrase in the joined prompt: a phrase inside another may ' +
      "take the other's tokens, depending on a random order",
    'export with --set filter.nested=text, or drop one of the two',
  ),
  bbox_missing: crash("KeyError: 'bbox'", 'add the box'),
  bbox_shape: crash('unpacks four numbers', 'write [x1, y1, x2, y2]'),
  bbox_nested: {
    ...wrong(
      'takes one box per region: it fails, or pairs boxes with other phrases',
      'export with --dialect open-groundingdino: one region per box',
    ),
    tao: { advice: 'export with --dialect tao: one region per box' },
  },
  box_not_finite: {
    ...wrong('trains on it; the loss becomes NaN', 'drop the box'),
    'open-groundingdino': { effect: 'crash', loader: 'fails in an assertion of the GIoU loss' },
  },
  box_reversed: {
    ...crash('fails in an assertion of the GIoU loss', realign),
    mmdet: { effect: 'drop', loader: 'drops the box' },
    tao: wrong('takes it as it is', 'write [x1, y1, x2, y2], not [x, y, w, h]'),
  },
  box_small: {
    ...none('trains on a box with a side below 1 px', 'write pixels, not shares of the size'),
    mmdet: { effect: 'drop', loader: 'drops boxes with a side below 1 px' },
  },
  box_outside: {
    ...wrong('trains on a box that is not in the image', 'check the size and the box'),
    mmdet: { effect: 'drop', loader: 'drops the box' },
  },
  box_over_edge: none('trains on the box with the part that is outside', 'clip boxes to the image'),
  tokens_missing: crash("KeyError: 'tokens_positive'", 'add the spans of the phrase'),
  tokens_shape: crash('needs pairs of whole numbers', 'write [[start, end], ...]'),
  span_outside: wrong('finds no token for the box', recount),
  span_utf16: wrong('trains the box on other characters: the span counts UTF-16 units', recount),
  span_not_phrase: wrong('trains the box on the text of the span, not on "phrase"', recount),
  label_invalid: crash('needs a whole number, or digits', 'write the key of the label map'),
  label_unknown: crash('KeyError in the label map', 'add the label to the map'),
  label_map_invalid: crash('needs one object of names', 'write {"0": "dog", ...}'),
  label_map_keys: crash('looks labels up as digits', 'number the keys from "0"'),
  label_map_names: {
    ...risk(
      'may find the name inside a longer one of the same prompt',
      'use plain names, none of which is a part of another',
    ),
    mmdet: {
      loader:
        'takes "/" for alternatives of which it picks one, removes "(...)", makes "_" a space',
    },
  },
} satisfies Readonly<Record<string, DialectRule>>

/** Kinds of trouble with an ODVG file. */
export type OdvgCode = keyof typeof RULES

/** What the loader of a dialect does; only what it reads is looked at, see odvg-record.ts. */
export function odvgRules(dialect: OdvgDialect): Record<OdvgCode, Rule> {
  const ruleOf = (rule: DialectRule): Rule => {
    const { effect, loader, advice } = { ...rule, ...rule[dialect] }
    return { effect, loader, advice }
  }
  // Object.fromEntries forgets which keys it was given: they are those of the table.
  return Object.fromEntries(
    Object.entries(RULES).map(([code, rule]) => [code, ruleOf(rule)]),
  ) as Record<OdvgCode, Rule>
}
