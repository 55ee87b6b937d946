// Options of the section `source:`: which files, of which kind, and which columns mean what.

import { z } from 'zod'
import type { ColumnMapping } from './map-row.ts'

/** Kinds of files that can be read. */
export const sourceTypes = [
  'parquet',
  'arrow',
  'tsv',
  'csv',
  'jsonl',
  'json',
  'flickr30k',
  'flickr30k-entities',
  'webdataset',
  'img2dataset',
  'folder',
] as const

/** A kind of file; without one in the config it follows from the endings. */
export type SourceType = (typeof sourceTypes)[number]

/** What a preset decides where the config does not. */
export interface Preset {
  readonly type?: SourceType
  readonly columnNames?: readonly string[]
  readonly columns: Omit<ColumnMapping, 'keep'>
}

/** Published data sets, by the columns that their files really have. */
export const presets = {
  cc3m: {
    type: 'tsv',
    columnNames: ['caption', 'url'],
    columns: { url: 'url', caption: 'caption' },
  },
  cc12m: {
    type: 'tsv',
    columnNames: ['url', 'caption'],
    columns: { url: 'url', caption: 'caption' },
  },
  laion: { type: 'parquet', columns: { url: 'URL', caption: 'TEXT' } },
  're-laion': { type: 'parquet', columns: { url: 'URL', caption: 'TEXT' } },
  'laion-coco': { type: 'parquet', columns: { url: 'URL', caption: 'top_caption' } },
  coyo: { type: 'parquet', columns: { url: 'url', caption: 'text' } },
  datacomp: { type: 'parquet', columns: { url: 'url', caption: 'text' } },
  cc2dataset: { type: 'parquet', columns: { url: 'url', caption: 'alt' } },
  grit: {
    type: 'parquet',
    columns: { url: 'url', caption: 'caption', phrases: 'noun_chunks' },
  },
  sbu: { type: 'json', columns: { url: 'image_urls', caption: 'captions' } },
  /** The Parquet file that img2dataset's recipe uses. */
  mscoco: { type: 'parquet', columns: { url: 'URL', caption: 'TEXT' } },
  /** captions_train2017.json and its like, with the images in `imageRoot`. */
  'coco-captions': { type: 'json', columns: { image: 'image', caption: 'caption' } },
  /** results_20130124.token, with the images in `imageRoot`. */
  flickr30k: { type: 'flickr30k', columns: { image: 'image', caption: 'caption' } },
  /** The folder Sentences, Annotations beside it, with the images in `imageRoot`. */
  'flickr30k-entities': {
    type: 'flickr30k-entities',
    columns: { image: 'image', caption: 'caption', phrases: 'phrases' },
  },
  /** The folder that img2dataset wrote as a WebDataset. */
  img2dataset: { type: 'img2dataset', columns: { image: 'image', caption: 'txt' } },
  /** The folder that img2dataset wrote as Parquet files. */
  'img2dataset-parquet': {
    type: 'parquet',
    columns: { image: 'jpg', caption: 'caption', status: 'status' },
  },
} as const satisfies Readonly<Record<string, Preset>>

type PresetName = keyof typeof presets

const column = z.string().min(1)
const bytesUpTo = (most: number) => z.number().int().min(1024).max(most)

const columnsSchema = z.strictObject({
  /** Column with the image's URL. */
  url: column.optional(),
  /** Column with the image itself: a local path, the bytes, or a struct of `bytes` and `path`. Goes before `url`. */
  image: column.optional(),
  /** Column with the caption; of a WebDataset a member's ending or a key of its json. */
  caption: column.optional(),
  /**
   * Column with spans of phrases that the data set gives: a list whose items begin with start and
   * end, or have these keys; or the same as JSON text.
   */
  phrases: column.optional(),
  /**
   * Column that is `success` where the data set has the image, as img2dataset writes it; other rows are
   * rejected as source_failed, with the column `error_message` for a reason.
   */
  status: column.optional(),
  /** Columns that stay with the row up to the exports. */
  keep: z.array(column).default([]),
})

const s3Schema = z.strictObject({
  /** URL of a store other than AWS, e.g. http://minio.internal:9000. Default: AWS_ENDPOINT_URL_S3, else AWS. */
  endpoint: z
    .url({ protocol: /^https?$/ })
    .regex(/^[^@?#]*$/, 'must be a host with its port, without credentials')
    .optional(),
  /** Default: AWS_REGION, else that of the profile. */
  region: z.string().min(1).optional(),
  /** Ask for endpoint/bucket, not bucket.endpoint; most stores other than AWS want it. */
  forcePathStyle: z.boolean().default(false),
  /** Ask without credentials, as public buckets allow. */
  anonymous: z.boolean().default(false),
})

/** The section `source:` with its defaults. */
export const sourceOptionsSchema = z.strictObject({
  /** Columns of a published data set; whatever is given beside it goes before it. */
  preset: z.enum(Object.keys(presets) as [PresetName, ...PresetName[]]).optional(),
  /** Default: by the ending of the first file. */
  type: z.enum(sourceTypes).optional(),
  /**
   * Paths, folders or patterns (`*`, `?`, `**`, `{a,b}`, `{00000..00099}`), relative to the working
   * directory or beginning with s3://bucket/; https:// addresses. Rows are numbered through the files in this order; a pattern's are sorted by name.
   */
  files: z
    .union([z.string().transform((file) => [file]), z.array(z.string().min(1))])
    .default(() => []),
  /** How s3:// is reached; credentials come from where the AWS tools take them. */
  s3: s3Schema.prefault({}),
  columns: columnsSchema.prefault({}),
  /** Rows whose value is in none of the lists are rejected as not_listed. */
  allowList: z
    .strictObject({
      column,
      /**
       * An `.npy` of sorted pairs of 64-bit integers for ids of 32 hex digits (DataComp's subsets), or
       * text with one value per line.
       */
      files: z.union([z.string().transform((file) => [file]), z.array(z.string().min(1)).min(1)]),
    })
    .optional(),
  /** Names of the columns of a TSV or CSV without a header line. */
  columnNames: z.array(column).min(1).optional(),
  /** `"` around a field of a TSV or CSV may hide delimiters and newlines. Default: CSV yes, TSV no. */
  quotes: z.boolean().optional(),
  /** Which element is the caption where the caption column holds a list. */
  captionIndex: z.number().int().min(0).default(0),
  /** What supplied spans count: Unicode code points (as Python does) or UTF-16 code units. */
  phraseUnits: z.enum(['codePoints', 'utf16']).default('codePoints'),
  /** Folder that image paths are relative to and may not leave. Default: the folder of the row's file. */
  imageRoot: z.string().min(1).optional(),
  /** Longest line, record or text member; what is longer is rejected. */
  maxRowBytes: bytesUpTo(2 ** 28).default(2 ** 20),
  /** Largest image inside a tar or a Parquet file. */
  maxImageBytes: bytesUpTo(2 ** 31).default(64 * 2 ** 20),
})

/** Options of `source:` that the identity of the opened source has by what they come to. */
export const sourceVolatile: readonly string[] = [
  'preset',
  'type',
  'files',
  's3',
  'columns',
  'allowList',
]

/** What `source:` says, defaults filled in. */
export type SourceOptions = z.output<typeof sourceOptionsSchema>
/** The same where files of a known type are read; a folder of images has none. */
export type TypedOptions = SourceOptions & { readonly type: Exclude<SourceType, 'folder'> }
/** What `source.s3:` says, defaults filled in. */
export type S3Options = z.output<typeof s3Schema>
