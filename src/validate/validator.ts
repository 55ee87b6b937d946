// What the validator of a format is; validate.ts finds the files, each format's own file checks them.

import type { FileFinding } from './findings.ts'

/** First UTF-16 unit of each BERT token of a text, without [CLS] and [SEP]. */
export type TokenStarts = (text: string) => readonly number[]

/** Files to check, and how. */
export interface ValidatorInput {
  /** What names in findings are relative to. */
  readonly root: string
  /** Whether the root was given as a whole, with what lies beside its annotation files. */
  readonly isFolder: boolean
  /** Annotation files, relative to the root, sorted. */
  readonly files: readonly string[]
  /** The loader to judge for; of formats with dialects. */
  readonly dialect?: string | undefined
  /** Values of the validator's own options, by name. */
  readonly options: Readonly<Record<string, string>>
  /** @param vocab a BERT vocab.txt; absent: one token per word. @throws ConfigError if it is none */
  readonly readTokenizer: (vocab?: string) => Promise<TokenStarts>
}

/** What a validator found in the files. */
export interface CheckedFiles {
  /** Images. */
  readonly records: number
  readonly findings: readonly FileFinding[]
}

/** Judges annotation files by what a trainer's loader does with them. */
export interface Validator {
  /** Of annotation files, for people: ".jsonl". */
  readonly ending: string
  /** Whether a file of a folder is one, by its name without folders. */
  isAnnotationFile(name: string): boolean
  /** Its own options of the command line: name without dashes, and help. Each takes a file. */
  readonly options: readonly { readonly name: string; readonly description: string }[]
  check(input: ValidatorInput): Promise<CheckedFiles>
}

/** A format as `validate` needs it. */
export interface ValidatedFormat {
  readonly name: string
  /** The first one is the default; none for a format that all loaders read alike. */
  readonly dialects: readonly string[]
  readonly validator: Validator
}
