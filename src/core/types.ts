// The vocabulary of the pipeline: a pair before the image is there, a sample after, a grounding at
// the end. Pure types; every module speaks these words and no other.

/** Half-open range [start, end) into the stored caption, in UTF-16 code units: `caption.slice(start, end)`. */
export interface CharSpan {
  readonly start: number
  readonly end: number
}

/** Pixels of the stored image, x right, y down. Edges, not pixel indices: width is x2 - x1, without "+ 1". */
export interface Box {
  readonly x1: number
  readonly y1: number
  readonly x2: number
  readonly y2: number
}

/** What JSON can hold. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Where the image of a pair is. */
export type ImageRef =
  | { readonly kind: 'url'; readonly url: string }
  /** A local file; `path` is absolute or relative to the working directory. */
  | { readonly kind: 'file'; readonly path: string }
  /** The bytes came with the row (a tar member, a Parquet binary column); `name` is the name there. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly name: string }

/** One row of the source that could be read. */
export interface SourceRow {
  /** Row number in the source, from 0, stable across reruns. */
  readonly row: number
  readonly image: ImageRef
  /** Verbatim, as in the source. */
  readonly caption: string
  /** Phrases given by the dataset (`phrases.extractor: supplied`), not yet checked. */
  readonly supplied?: readonly CharSpan[]
  /** Other columns that the config keeps. */
  readonly extra?: Readonly<Record<string, Json>>
}

/** A noun phrase of a caption. `text === caption.slice(start, end)`. */
export interface Phrase extends CharSpan {
  readonly text: string
  /** The head noun as it stands in the caption, e.g. "dogs" in "two brown dogs". */
  readonly head: string
  /** The head in singular and lower case, e.g. "dog". */
  readonly lemma: string
}

/** The unit of work, of resuming and of output: rows [start, end) of the source. */
export interface Shard {
  readonly id: number
  readonly start: number
  readonly end: number
  /** What the source needs to begin reading at `start` without scanning: file, byte offset, row group, ... */
  readonly cursor: Json
}

/** 8-bit RGB, row-major, upright; `data.length === width * height * 3`. */
export interface DecodedImage {
  readonly data: Uint8Array
  readonly width: number
  readonly height: number
}

/** px. */
export interface Size {
  readonly width: number
  readonly height: number
}

/** An image as the model gets it: resized, padded right and below. */
export interface InputImage {
  /** 8-bit RGB, shape (padded.height, padded.width, 3), 0 in the padding. */
  readonly data: Uint8Array
  readonly original: Size
  readonly resized: Size
  readonly padded: Size
}

/** Encoded image formats that are stored as they came. */
export type ImageFormat = 'jpg' | 'png' | 'webp'

/** What is recorded of an image. */
export interface ImageFacts {
  /** As stored. */
  readonly format: ImageFormat
  /** px, upright. */
  readonly width: number
  readonly height: number
  /** Hex, of the bytes as received, before any re-encoding. */
  readonly sha256: string
  /** 64-bit difference hash, 16 hex digits. */
  readonly dhash: string
}

/** An image that passed every check. */
export interface LoadedImage extends ImageFacts {
  /** Encoded bytes as stored; their pixels are upright (a rotated image was re-encoded). */
  readonly bytes: Uint8Array
  /** False if `bytes` are those that were received. */
  readonly isReencoded: boolean
}

/** An image that passed every check elsewhere; its bytes stayed where they are. */
export interface CheckedImage extends ImageFacts {
  /** To be stored instead of the bytes that were received, whose pixels a plain reader would see otherwise. */
  readonly reencoded?: Uint8Array
  /** Fitted to the model, if the loader was told how. */
  readonly input?: InputImage
}

/** Encoded bytes in a file. */
export interface FilePart {
  readonly path: string
  readonly offset: number
  readonly length: number
}

/** One box the teacher proposes for one phrase. */
export interface Candidate {
  /** Index into the sample's phrases. */
  readonly phrase: number
  /** [0, 1]: sqrt(mean token probability x centerness). */
  readonly score: number
  readonly box: Box
}

/** One pair that reached the teacher: a row of groundings.parquet. */
export interface GroundingRow extends ImageFacts {
  /** Zero-padded shard id + row in shard; `[0-9]+`, unique in the run, stable across reruns. */
  readonly key: string
  /** Row number in the source. */
  readonly row: number
  /** URL or path of the image in the source; null when the bytes came with the row. */
  readonly url: string | null
  readonly caption: string
  readonly phrases: readonly Phrase[]
  /** Above the floor score, by score descending within the row. */
  readonly candidates: readonly Candidate[]
  readonly extra?: Readonly<Record<string, Json>>
}
