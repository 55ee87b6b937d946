// Validation for programs, and the tokenizer that it counts with.

import fs from 'node:fs/promises'
import { ConfigError, messageOf } from '../core/errors.ts'
import { EXPORT_FORMATS } from '../export/formats/index.ts'
import { createTokenizer, parseVocab } from '../teacher/bert-tokenizer.ts'
import { validate, type ValidationReport } from '../validate/validate.ts'
import type { TokenStarts } from '../validate/validator.ts'
import { formatNamed } from './formats.ts'

/** What `validateFiles` is asked for. */
export interface ValidateOptions {
  /** An annotation file, or a folder of them. */
  readonly target: string
  /** A name of `groundmill validate --help`, e.g. "odvg". */
  readonly format: string
  /** Absent: that of the export in the folder, else the format's first. */
  readonly dialect?: string
  /** Of ODVG: the trainer's BERT vocab.txt, to count tokens exactly. */
  readonly vocab?: string
  /** Of ODVG detections: the label map; absent: label_map.json of the folder. */
  readonly labelMap?: string
}

/** The formats whose loaders are known. */
export const VALIDATED_FORMATS = EXPORT_FORMATS.flatMap(({ validator, ...format }) =>
  validator === undefined ? [] : [{ ...format, validator }],
)

/**
 * What the loader of a format would do with the files: crash, drop, or train on something else.
 *
 * @throws ConfigError for a format or dialect that is unknown; InputError if there is nothing to check
 */
export async function validateFiles(request: ValidateOptions): Promise<ValidationReport> {
  const { target, dialect, vocab, labelMap } = request
  const format = formatNamed(request, VALIDATED_FORMATS)
  const options = {
    ...(vocab === undefined ? {} : { vocab }),
    ...(labelMap === undefined ? {} : { 'label-map': labelMap }),
  }
  return validate({ target, format, dialect, options, readTokenizer })
}

/** With these entries alone every word is one [UNK]: BERT's own count is never below. */
const WORDS_ALONE = ['[PAD]', '[UNK]', '[CLS]', '[SEP]']

/** @throws ConfigError if the file is no vocabulary */
export async function readTokenizer(vocab?: string): Promise<TokenStarts> {
  try {
    const entries = vocab === undefined ? WORDS_ALONE : parseVocab(await fs.readFile(vocab, 'utf8'))
    const tokenizer = createTokenizer(entries)
    return (text) => tokenizer.encode(text).starts
  } catch (error) {
    throw new ConfigError(`--vocab ${vocab}: ${messageOf(error)}`, { cause: error })
  }
}
